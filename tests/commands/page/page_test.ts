/**
 * The page in a headless Chromium. Without a browser on the machine the tests are left out and say so;
 * `apt-get install chromium` gives it one.
 *
 * @module
 */
import { join } from "node:path";
import { drawImages } from "../../../commands/page/app/draw.ts";
import { fetchFile } from "../../../commands/page/app/fetch_file.ts";
import { LiveTraining, type TrainingLine } from "../../../commands/page/app/live_training.ts";
import { LoadedModel } from "../../../commands/page/app/loaded_model.ts";
import { makePage } from "../../../commands/page/make_page.ts";
import type { Site } from "../../../commands/page/site.ts";
import { firstImages } from "../../../data/dataset.ts";
import { loadImages } from "../../../data/registry.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { BrowserPage, findChromium, type Look } from "../../support/chromium.ts";
import { inFolder } from "../../support/folder.ts";
import { testGpu } from "../../support/gpu.ts";
import { randomCheckpoint } from "../../support/page_checkpoint.ts";
import { ROOT, smokeConfig } from "../../support/runs.ts";
import { serveFolder } from "../../support/static_server.ts";

const chromium = findChromium();
if (chromium === null) {
  console.log("note: no Chromium on this machine, so the page is not opened");
}

const DESKTOP: Look = { width: 1280, height: 900, scheme: "light" };

/** Largest difference that two drivers' round-off may make in images of [-1, 1]. */
const ROUND_OFF = 1e-5;

/** A page of a checkpoint of random weights, served and opened. */
function withPage(
  body: (page: BrowserPage, site: Site, url: string) => Promise<void>,
  gpu = true,
): Promise<void> {
  return inFolder(async (folder) => {
    const config = await smokeConfig("model.attentionLevels=[]", "model.channelMultipliers=[1]");
    const checkpoint = await randomCheckpoint(join(folder, "tiny"), config);
    const out = join(folder, "out");
    // Few kernels, as Chromium's own adapter takes half a second to compile one.
    const smoke = JSON.parse(await Deno.readTextFile(`${ROOT}config/smoke.json`));
    const text = JSON.stringify({ ...smoke, model: { name: "mlp", width: 32, depth: 1 } });
    const training = { text, path: "tiny", images: 8, asked: true };
    const site = await makePage([checkpoint], {
      out,
      title: "Tiny",
      dtype: "F16",
      training,
      say: () => {},
    });
    await serveFolder(out, async (url) => {
      const page = await BrowserPage.open(chromium!, url, DESKTOP, { gpu });
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
    withPage(async (page, { models: [model], training }, url) => {
      assertEquals(await page.evaluate("document.title"), "Tiny");
      await page.evaluate(`document.querySelector("#count").value = "4"`);
      await page.evaluate(`document.querySelector("#seed").value = "7"`);
      await page.evaluate(`document.querySelector("#sample-form").requestSubmit()`);
      await page.until(`diffract.sample.drawn !== null`);
      const drawn = await page.evaluate<number[]>(`[...diffract.sample.drawn.images]`);
      const bytes = await fetchFile(model!.weights, url);
      const loaded = LoadedModel.create(await testGpu(), model!, bytes);
      const settings = { sampler: model!.diffusion.sampler, seeds: [7, 8, 9, 10] };
      const images = await drawImages(loaded, settings);
      loaded.destroy();
      assertEquals(drawn.length, images.length);
      const worst = Math.max(...images.map((value, i) => Math.abs(value - drawn[i]!)));
      console.log(`note: images of the page and of Deno differ by ${worst} at most`);
      assert(worst < ROUND_OFF, `the images of the page differ by ${worst}`);
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

      // The last tab: a run of its own, with its losses by band, and samples.
      await page.evaluate(`document.querySelector("#tab-train").click()`);
      await page.evaluate(`document.querySelector("#train-steps").value = "20"`);
      const bytesBefore = await page.evaluate(`diffract.gpu.counters.bufferBytes`);
      await page.evaluate(`document.querySelector("#train-form").requestSubmit()`);
      await page.until(`diffract.train.finished || document.querySelector("#error").innerText`);
      const lines = await page.evaluate<TrainingLine[]>(`diffract.train.lines`);
      const { config } = training!.recipes[0]!;
      const set = firstImages(await loadImages(config.data, "train", () => {}), 8);
      const plan = { config, steps: 20, seed: 0, samples: 16 };
      const live = await LiveTraining.create(await testGpu(), plan, set);
      for (const { step, loss, byBand } of lines) {
        const own = await live.train(step, () => {});
        assertAllClose([loss, ...byBand], [own.loss, ...own.byBand], { rtol: 1e-4 });
      }
      live.destroy();
      assertEquals(lines.map(({ step }) => step), [10, 20]);
      assert(lines[1]!.loss < lines[0]!.loss, "the loss must fall");
      assertEquals(await page.evaluate(`diffract.gpu.counters.bufferBytes`), bytesBefore);
      assertEquals(await page.evaluate(`diffract.train.looks.map(({ step }) => step)`), [20]);

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
