import { join } from "node:path";
import { drawImages } from "../../../commands/page/app/draw.ts";
import { fillIn, walk } from "../../../commands/page/app/fill.ts";
import { LoadedModel } from "../../../commands/page/app/loaded_model.ts";
import { makePage, type PageContext } from "../../../commands/page/make_page.ts";
import { loadSampler, movesOf } from "../../../commands/shared/load_sampler.ts";
import { loadConfig, parseConfig } from "../../../config/load.ts";
import { readSafetensors } from "../../../formats/safetensors.ts";
import { processOf } from "../../../training/run_process.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { testGpu } from "../../support/gpu.ts";
import { randomCheckpoint } from "../../support/page_checkpoint.ts";
import { ROOT, smokeConfig } from "../../support/runs.ts";

/** Without attention, there are fewer kernels to compile. */
const config = () => smokeConfig("model.attentionLevels=[]", "model.channelMultipliers=[1]");

const context = (out: string): PageContext => ({
  ...{ out, title: "Tiny", dtype: "F32", training: null, say: () => {} },
});

Deno.test("a page of f32 weights draws what sample draws, fills in, and walks", () =>
  inFolder(async (folder) => {
    const checkpoint = await randomCheckpoint(join(folder, "tiny"), await config());
    const gpu = await testGpu(), out = join(folder, "out");
    const { models: [site] } = await makePage([checkpoint], context(out));
    const bytes = await Deno.readFile(join(out, site!.weights.path));
    const model = LoadedModel.create(gpu, site!, bytes);
    const sampler = { ...site!.diffusion.sampler, eta: 0 };

    const own = parseConfig(checkpoint.config, { path: "tiny" });
    const process = processOf(own), seeds = [5, 6];
    const run = { config: own, checkpoint, process };
    const loaded = await loadSampler(gpu, run, { weights: "ema", batch: 2 });
    const expected = await loaded.sampler.sample(movesOf(process, sampler), seeds);
    loaded.destroy();
    const steps: number[] = [];
    const images = await drawImages(model, { sampler, seeds }, ({ level }) => steps.push(level));
    assertEquals(images, expected);
    assertEquals([steps.length, steps[0]! > steps[3]!], [4, true]);

    // The ends of a walk are the images of its seeds, wherever they are in a batch.
    const way = await walk(model, { sampler, from: 5, to: 6, count: 2 });
    assertEquals(way, images);

    const image = images.subarray(0, 64), wiped = new Uint8Array(64).fill(1, 32);
    const settings = { sampler, image, wiped, seeds, resample: 2, jump: 1 };
    const filled = await fillIn(model, settings);
    for (const start of [0, 64]) {
      assertEquals(filled.slice(start, start + 32), image.slice(0, 32));
      assert(filled.slice(start + 32, start + 64).some((value, i) => value !== image[32 + i]));
    }
    model.destroy();
  }));

Deno.test("makePage() tells of its models in a card, halves their weights, and names no path", () =>
  inFolder(async (folder) => {
    const dir = join(folder, "a run");
    const checkpoint = await randomCheckpoint(dir, await config());
    const lines = [{ step: 2, loss: 0.5, valLoss: 0.625 }, { step: 3, loss: 0.25 }, {
      step: 4,
      fid: 1,
    }];
    await Deno.writeTextFile(
      join(dir, "log.jsonl"),
      lines.map((l) => JSON.stringify(l)).join("\n"),
    );
    const out = join(folder, "out"), said: string[] = [];
    const training = { text: checkpoint.config, path: checkpoint.path, images: 8, asked: true };
    const site = await makePage([checkpoint, checkpoint], {
      ...{ out, title: "Two", dtype: "BF16", training, say: (line) => said.push(line) },
    });
    assertEquals(site.models.map(({ name }) => name), ["a-run", "a-run-2"]);
    const [{ weights, parameters } = site.models[0]!] = site.models;
    const file = await Deno.readFile(join(out, weights.path));
    const header = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
    assertEquals(file.length - header, 2 * parameters);
    const { tensors } = readSafetensors(file);
    assertEquals(new Set(Array.from(tensors.values(), ({ dtype }) => dtype)), new Set(["BF16"]));
    const names = site.training!.recipes.map(({ name }) => name);
    assertEquals([names[0], names.includes("equal SNR")], ["as it is", true]);
    assertEquals(site.training!.recipes[1]!.config.diffusion.weighting, "min-snr");

    const card = await Deno.readTextFile(join(out, "README.md"));
    assertStringIncludes(card, "sdk: static");
    assertStringIncludes(card, "| Training loss | 0.25 (step 3) |");
    assertStringIncludes(card, "| Validation loss | 0.625 (step 2) |");
    // What came after the checkpoint says nothing of it.
    assert(!card.includes("FID"));
    for (const name of ["README.md", "site.json", "configs/a-run.json"]) {
      assert(!(await Deno.readTextFile(join(out, name))).includes(folder), name);
    }
  }));

Deno.test("makePage() refuses signals", () =>
  inFolder(async (folder) => {
    const signals = await loadConfig(`${ROOT}config/signals.json`);
    const checkpoint = await randomCheckpoint(join(folder, "tiny"), signals);
    await assertRejects(
      () => makePage([checkpoint], context(join(folder, "out"))),
      Error,
      "it must draw images, it draws signals",
    );
  }));
