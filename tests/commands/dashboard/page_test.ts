/**
 * The page in a headless Chromium, while another process writes the runs. Without a browser on the
 * machine the test is left out and says so; `apt-get install chromium` gives it one.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodePng } from "../../../formats/png.ts";
import { makeHandler } from "../../../commands/dashboard/handler.ts";
import { RunWatch } from "../../../commands/dashboard/watch.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { BrowserPage, findChromium, type Look } from "../../../dev/page_check/chromium.ts";
import { inFolder } from "../../support/folder.ts";
import { ROOT } from "../../support/runs.ts";
import { WrittenRun } from "./written_run.ts";

const chromium = findChromium();
if (chromium === null) {
  console.log("note: no Chromium on this machine, so the dashboard's page is not opened");
}

const DESKTOP: Look = { width: 1280, height: 900, scheme: "light" };
const PHONE: Look = { width: 390, height: 844, scheme: "dark", mobile: true };

/** Opens the dashboard of a folder. */
async function withPage(
  folder: string,
  body: (page: BrowserPage) => Promise<void>,
): Promise<void> {
  const watch = new RunWatch([folder], { everyMs: 50, complain: console.error });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    makeHandler(watch),
  );
  const page = await BrowserPage.open(chromium!, `http://127.0.0.1:${server.addr.port}/`, DESKTOP);
  try {
    await body(page);
    assertEquals(page.complaints, []);
  } finally {
    await page.close();
    await watch.close();
    await server.shutdown();
  }
}

/** Text of the first element of a kind. */
const text = (selector: string) =>
  `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? "")`;
/** The chart with a title. */
const chart = (title: string) =>
  `[...document.querySelectorAll(".chart")].find((c) => c.querySelector("h3").innerText === ${
    JSON.stringify(title)
  })`;
const tile = (label: string, part = "value") =>
  `[...document.querySelectorAll(".tile")].find((t) => t.querySelector(".label").innerText === ${
    JSON.stringify(label)
  })?.querySelector(".${part}").innerText`;

const WRITER = `
import { WrittenRun } from ${JSON.stringify(new URL("written_run.ts", import.meta.url).href)};
const run = await WrittenRun.create(Deno.args[0], { steps: 1000, lr: 2e-3 });
const commands = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const command of commands) {
  const [name, step, value] = command.trim().split(" ");
  if (name === "step") await run.writeStep(Number(step), Number(value));
  else await run.writeSample(Number(step), Number(value));
  console.log("done");
}
`;

/** Another process that writes a run when it is told to. */
async function withWriter(
  dir: string,
  body: (tell: (command: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(script, WRITER);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", `${ROOT}deno.json`, script, dir],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter(), output = child.stdout.getReader();
  try {
    await body(async (command) => {
      await input.write(new TextEncoder().encode(`${command}\n`));
      await output.read();
    });
  } finally {
    await input.close();
    await output.cancel();
    await child.status;
    await Deno.remove(script);
  }
}

Deno.test({
  name: "the dashboard's page follows runs that another process writes",
  ignore: chromium === null,
  fn: () =>
    inFolder(async (folder) => {
      const first = await WrittenRun.create(join(folder, "first"), { steps: 100 });
      for (let step = 10; step <= 100; step += 10) await first.writeStep(step, 1 / step);
      await first.writeSample(20, 40);
      await first.writeSample(100, 200);
      await withPage(folder, async (page) => {
        await page.until(`${text("#connection")} === "Live"`);
        await page.until(`${tile("Step")} === "100"`);
        assertEquals(await page.evaluate(tile("Time left")), "Done");
        assertEquals(await page.evaluate(tile("Training loss")), "0.01000");
        const lines = (title: string) => `${chart(title)}.querySelectorAll(".plot .line").length`;
        await page.until(`${lines("Validation loss")} === 1`);
        await page.until(`${lines("Noise loss by |k|")} === 3`);
        await page.until(`document.querySelectorAll(".heat td").length === 6`);
        await page.until(`document.querySelector(".picture img").naturalWidth === 8`);

        await withWriter(join(folder, "second"), async (tell) => {
          // A run that begins later appears, and is looked at as it runs.
          await tell("step 10 0.9");
          await page.until(`document.querySelectorAll(".run").length === 2`);
          await page.until(`${text("h1")} === "second"`);
          await page.until(`${tile("Time left")} !== "–"`);
          const before = await page.evaluate<string>(tile("Time left", "note"));
          assertMatch(before, /^ends \d\d:\d\d/);

          // Its curve grows, and the end comes nearer.
          const drawn = `${chart("Training loss")}.querySelector(".line.colour-1:not(.raw)")
            .getAttribute("d").split("L").length`;
          for (let step = 20; step <= 60; step += 10) await tell(`step ${step} ${1 / step}`);
          await page.until(`${drawn} === 6`);
          assertEquals(await page.evaluate(tile("Step")), "60");
          assertEquals(await page.evaluate(tile("Step", "note")), "6.0 % of 1,000");
          const left = await page.evaluate<string>(tile("Time left"));
          await tell("step 900 0.001");
          await page.until(`${tile("Step")} === "900"`);
          await page.until(`${tile("Time left")} !== ${JSON.stringify(left)}`);

          // A picture appears, and then a newer one.
          assertStringIncludes(await page.evaluate(text(".samples")), "none yet");
          await tell("sample 910 90");
          await page.until(`${text(".scrub output")} === "step 910 · newest"`);
          await tell("sample 920 91");
          await page.until(`${text(".scrub output")} === "step 920 · newest"`);
          await page.until(`document.querySelector(".picture img").src.includes("000920")`);
          await page.until(`document.querySelectorAll(".thumbs li").length === 1`);
        });

        // What differs between the two.
        const config = await page.evaluate<string>(text(".config"));
        assertStringIncludes(config, "optim.lr\t0.001\t0.002");
        assertEquals(config.includes("train.batchSize"), false);

        await Deno.remove(join(folder, "second"), { recursive: true });
        await page.until(`document.querySelectorAll(".run").length === 1`);
        assertEquals(await page.evaluate(text("h1")), "first");

        // A log that is damaged is shown as far as it can be read.
        const { length } = (await Deno.readTextFile(first.log)).trimEnd().split("\n");
        await Deno.writeTextFile(first.log, "no line\n", { append: true });
        await page.until(`${text(".damage")} !== ""`);
        assertEquals(
          await page.evaluate(text(".damage")),
          `log.jsonl is damaged: line ${length + 1} cannot be read and is left out`,
        );
      });
    }),
});

Deno.test({
  name: "the dashboard's page can be used by keyboard and by pointer",
  ignore: chromium === null,
  fn: () =>
    inFolder(async (folder) => {
      for (const [i, name] of ["base/seed-1", "base/seed-2", "other/seed-1"].entries()) {
        const run = await WrittenRun.create(join(folder, name));
        for (let step = 10; step <= 100; step += 10) await run.writeStep(step, (i + 1) / step);
        await run.writeSample(20, 40);
        await run.writeSample(40, 80);
      }
      await withPage(folder, async (page) => {
        const loss = chart("Training loss");
        const count = (selector: string) => `${loss}.querySelectorAll("${selector}").length`;
        // Seeds are one line with their range.
        await page.until(`${count(".line")} === 3 && ${count(".area")} === 1`);
        await page.evaluate(`document.querySelector("#grouped").click()`);
        await page.until(`${count(".area")} === 0`);

        // Arrow keys tell values; other charts show the same step.
        await page.evaluate(`${loss}.querySelector(".plot").focus()`);
        await page.press("End");
        await page.press("ArrowLeft");
        assertStringIncludes(
          await page.evaluate(`${loss}.querySelector(".tip").innerText`),
          "step 90",
        );
        const norm = chart("Gradient norm");
        assert(await page.evaluate(`${norm}.querySelectorAll(".cursor circle").length === 3`));
        await page.press("Escape");
        assert(await page.evaluate(`${loss}.querySelector(".tip").hidden`));

        // A pointer tells values, and draws out a range of steps.
        const box = await page.evaluate<{ left: number; top: number; width: number }>(
          `(({ left, top, width }) => ({ left, top, width }))(
            ${loss}.querySelector(".plot").getBoundingClientRect())`,
        );
        const at = (share: number) => box.left + share * box.width;
        await page.pointer("mouseMoved", at(0.5), box.top + 80);
        await page.until(`!${loss}.querySelector(".tip").hidden`);
        await page.pointer("mousePressed", at(0.5), box.top + 80);
        await page.pointer("mouseMoved", at(0.9), box.top + 80);
        await page.pointer("mouseReleased", at(0.9), box.top + 80);
        await page.until(`!document.querySelector("#reset-range").disabled`);
        await page.evaluate(`document.querySelector("#reset-range").click()`);
        await page.until(`document.querySelector("#reset-range").disabled`);

        // The slider goes back in time for all runs.
        await page.evaluate(`document.querySelector(".scrub input").focus()`);
        await page.press("ArrowLeft");
        await page.until(`${text(".scrub output")} === "step 20"`);
        await page.until(`[...document.querySelectorAll(".thumbs img")]
          .every((image) => image.src.includes("000020"))`);

        // Runs are hidden one by one, and picked.
        await page.evaluate(`document.querySelector(".run input").click()`);
        await page.until(`${count(".line:not(.raw)")} === 2`);
        await page.evaluate(`document.querySelectorAll(".pick")[2].click()`);
        await page.until(`${text("h1")} === "other/seed-1"`);
      });
    }),
});

Deno.test({
  name: "the dashboard's page shows names and values of logs as text, whatever they say",
  ignore: chromium === null,
  fn: () =>
    inFolder(async (folder) => {
      const name = `<img src=x onerror="document.title='broken'">`.replaceAll("/", "");
      const run = await WrittenRun.create(join(folder, name));
      await WrittenRun.create(join(folder, "other"), { lr: 5 });
      await run.writeStep(10, 1);
      await run.write({ step: 10, event: "<b>odd</b>", "<script>alert(1)</script>": 3 });
      const config = JSON.stringify({ train: { steps: 20 }, "<i>key</i>": "<script>1</script>" });
      await Deno.writeTextFile(join(run.dir, "config.json"), config);
      await withPage(folder, async (page) => {
        await page.until(`document.querySelectorAll(".run").length === 2`);
        await page.until(`${text("h1")} === ${JSON.stringify(name)}`);
        await page.until(`${text(".others h3")}.includes("<script>alert")`);
        const table = await page.evaluate<string>(text(".config"));
        assertStringIncludes(table, "<i>key</i>");
        assertStringIncludes(table, "<script>1</script>");
        assertEquals(
          await page.evaluate(
            `document.querySelectorAll("#content i > *, script:not([src])").length`,
          ),
          0,
        );
        assertMatch(await page.evaluate("document.title"), /· Diffract$/);
      });
    }),
});

Deno.test({
  name: "the dashboard's page fits a phone and a desktop in both schemes, and nothing jumps",
  ignore: chromium === null,
  fn: () =>
    inFolder(async (folder) => {
      const run = await WrittenRun.create(join(folder, "a-run-with-a-rather-long-name-of-its-own"));
      await run.writeStep(10, 1);
      await withPage(folder, async (page) => {
        await page.until(`${tile("Step")} === "10"`);
        const tops = `JSON.stringify([...document.querySelectorAll(".card, .tile, .controls")]
          .filter((card) => !card.closest(".others")).map((card) => {
            const { top, height } = card.getBoundingClientRect();
            return [Math.round(top), Math.round(height)];
          }).slice(0, -1))`;
        let step = 10;
        for (const look of [DESKTOP, PHONE]) {
          for (const scheme of ["light", "dark"] as const) {
            await page.look({ ...look, scheme });
            await page.until(`innerWidth === ${look.width}`);
            await page.until(`document.documentElement.scrollWidth <= innerWidth`);
            const before = await page.evaluate<string>(tops);
            // More lines, pictures and longer numbers.
            step += 20;
            await run.writeStep(step, 1 / step);
            await run.writeSample(step, step);
            await page.until(`${text(".scrub output")}.startsWith("step ${step}")`);
            await page.until(`${tile("Step")} === "${step}"`);
            assertEquals(await page.evaluate(tops), before, `${look.width} ${scheme}`);
            const { data, width, channels } = decodePng(await page.screenshot());
            const scale = width / look.width;
            // Bottom left, where nothing stands: the page's own colour.
            const corner = data[(data.length / channels / width - 1) * width * channels + scale]!;
            assertEquals(corner > 128, scheme === "light", `${scheme}: ${corner}`);
          }
        }
      });
    }),
});

Deno.test("the dashboard's modules are all checked with the page's types", async () => {
  const folder = fileURLToPath(new URL("../../../commands/dashboard/page/", import.meta.url));
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".ts")) continue;
    const source = await Deno.readTextFile(join(folder, name));
    const usesPage = /\b(?:document|HTMLElement|localStorage|EventSource)\b/.test(source);
    assertEquals(/^\/\/\/ <reference lib="dom" \/>/.test(source) || !usesPage, true, name);
  }
});
