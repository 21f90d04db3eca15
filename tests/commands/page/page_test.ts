/**
 * The page in a headless Chromium. Without a browser on the machine the tests are left out and say so;
 * `apt-get install chromium` gives it one.
 *
 * @module
 */
import { join } from "node:path";
import { makePage } from "../../../commands/page/make_page.ts";
import type { Site } from "../../../commands/page/site.ts";
import { firstImages } from "../../../data/dataset.ts";
import { loadImages } from "../../../data/registry.ts";
import { BrowserPage, findChromium, type Look } from "../../../dev/page_check/chromium.ts";
import { checkDrawing, checkTraining } from "../../../dev/page_check/checks.ts";
import { DenoSide, PageSide } from "../../../dev/page_check/sides.ts";
import { serveFolder } from "../../../dev/page_check/static_server.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { testGpu } from "../../support/gpu.ts";
import { randomCheckpoint } from "../../support/page_checkpoint.ts";
import { ROOT, smokeConfig } from "../../support/runs.ts";

const chromium = findChromium();
if (chromium === null) {
  console.log("note: no Chromium on this machine, so the page is not opened");
}

/** Milliseconds that a busy machine may take to compile all kernels of a program. */
const PATIENCE = 300_000;

const DESKTOP: Look = { width: 1280, height: 900, scheme: "light" };

/** A page of a checkpoint of random weights, served and opened. */
function withPage(
  body: (page: BrowserPage, site: Site, url: string) => Promise<void>,
  gpu = true,
): Promise<void> {
  return inFolder(async (folder) => {
    const config = await smokeConfig("model.attentionLevels=[]", "model.channelMultipliers=[1]");
    const checkpoint = await randomCheckpoint(join(folder, "tiny"), config);
    const out = join(folder, "out");
    // Chromium's own adapter takes half a second to compile a kernel, and a test that trained a U-Net
    // over 90 seconds: `deno task page-check` does that, with the quickstart's.
    const smoke = JSON.parse(await Deno.readTextFile(`${ROOT}config/smoke.json`));
    const model = { name: "mlp", width: 32, depth: 1 };
    const text = JSON.stringify({ ...smoke, model, optim: { ...smoke.optim, lr: 1e-2 } });
    const site = await makePage([checkpoint], {
      ...{ out, title: "Tiny", dtype: "F16", say: () => {} },
      training: { text, path: "tiny", images: 8, asked: true },
    });
    await serveFolder(out, async (url) => {
      const page = await BrowserPage.open(chromium!, url, DESKTOP, { gpu, interpreted: true });
      try {
        await page.until(`document.body.dataset.state !== "starting"`);
        await body(page, site, url);
        // Chromium tells of it by itself.
        const own = (line: string) => !gpu && line.startsWith("warning: No available adapters.");
        assertEquals(page.complaints.filter((line) => !own(line)), []);
        assertEquals(page.requests.filter((address) => !address.startsWith(url)), []);
      } finally {
        await page.close();
      }
    });
  });
}

Deno.test({
  name: "the page draws and trains as Deno does, to round-off, and asks nobody else",
  ignore: chromium === null,
  fn: () =>
    withPage(async (page, site, url) => {
      assertEquals(await page.evaluate("document.title"), "Tiny");
      const all = await loadImages(site.training!.recipes[0]!.config.data, "train", () => {});
      const deno = new DenoSide("Deno", await testGpu(), site, url, firstImages(all, 8));
      const browser = await PageSide.of(page, PATIENCE);
      const findings = await checkDrawing(browser, deno, 4);
      const { images } = await deno.draw(0, 4);
      // Weights that say nothing would agree anywhere.
      assert(new Set(images).size > 100);

      // A picture of every step came, and the strip and the spectrum are there.
      assertEquals(await page.evaluate(`document.querySelectorAll(".strip canvas").length`), 4);
      assertEquals(await page.evaluate(`document.querySelectorAll("#spectrum .line").length`), 2);
      const painted = await page.evaluate<number>(
        `document.querySelector("#samples").getContext("2d").getImageData(0, 0, 1, 1).data[0]`,
      );
      assertEquals(painted, Math.round(images[0]! * 127.5 + 127.5));

      // What a person wipes by keyboard is made anew, and nothing else.
      await page.evaluate(`document.querySelector("#tab-fill").click()`);
      await page.evaluate(`diffract.fill.board.show(diffract.sample.drawn.images.slice(0, 64),
        diffract.site.models[0].size); document.querySelector("#fill-board").focus()`);
      for (const key of ["ArrowLeft", " "]) await page.press(key);
      await page.evaluate(`document.querySelector("#fill-form").requestSubmit()`);
      await page.until(`diffract.fill.filled !== null`);
      const changed = await page.evaluate<number[]>(`[...diffract.fill.filled.slice(0, 64)].flatMap(
        (value, i) => value === diffract.sample.drawn.images[i] ? [] : [i])`);
      const brush = [3, 4, 5].flatMap((y) => [2, 3, 4].map((x) => 8 * y + x));
      // Where an image ends at its darkest, a pixel may come back as it was.
      assertEquals(changed.filter((i) => !brush.includes(i)), []);
      assert(changed.length > 5, `${changed.length} pixels are new`);

      // The last tab: a run of its own, with its losses, what it holds, and samples.
      const report = await checkTraining(browser, deno, {
        ...{ steps: 50, memorySteps: 50, memory: () => page.memory() },
      });
      deno.destroy();
      findings.push(...report.findings);
      console.log(findings.map(({ what, found }) => `note: ${what}: ${found}`).join("\n"));
      assertEquals(findings.filter(({ holds }) => !holds), []);
      assertEquals(await page.evaluate(`diffract.train.looks.map(({ step }) => step)`), [
        20,
        40,
        50,
      ]);

      // All of it fits a phone, and tabs go by arrow keys.
      await page.look({ width: 390, height: 844, scheme: "dark", mobile: true });
      await page.evaluate(`document.querySelector("#tab-train").focus()`);
      for (const tab of ["sample", "fill", "walk-view", "train"]) {
        await page.press("ArrowRight");
        await page.until(`!document.querySelector("#${tab}").hidden`);
        await page.until(`document.documentElement.scrollWidth <= innerWidth`);
      }
    }),
});

Deno.test({
  name: "the page says what it needs where there is no WebGPU",
  ignore: chromium === null,
  fn: () =>
    withPage(async (page) => {
      const text = await page.evaluate<string>(`document.querySelector("#refusal").innerText`);
      assertStringIncludes(text, "This page needs WebGPU");
      assertStringIncludes(text, "chrome://flags/#enable-unsafe-webgpu");
      assertEquals(
        await page.evaluate(`getComputedStyle(document.querySelector("#page")).display`),
        "none",
      );
    }, false),
});
