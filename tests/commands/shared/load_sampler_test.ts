import { join } from "node:path";
import { SAMPLER_NAMES } from "../../../diffusion/options.ts";
import { spaceTimesteps, TIMESTEP_SPACINGS } from "../../../diffusion/spacing.ts";
import { PORTABLE_FAMILIES, setVariantPolicy } from "../../../kernels/shared/variants.ts";
import { writeSafetensors } from "../../../formats/safetensors.ts";
import { countParameters } from "../../../model/module.ts";
import { networkOf } from "../../../training/run.ts";
import { UsageError } from "../../../support/errors.ts";
import {
  chooseSampler,
  findCheckpoint,
  loadSampler,
  SAMPLER_OPTIONS,
} from "../../../commands/shared/load_sampler.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import { restorePolicy, testGpu } from "../../support/gpu.ts";
import { inFolder } from "../../support/folder.ts";
import { smokeConfig, trainInFolder } from "../../support/runs.ts";
import { torchLegacy, torchZip } from "../../support/torch_file.ts";
import { makeProcess } from "../../../diffusion/process.ts";
import { samplerMoves } from "../../../diffusion/samplers/registry.ts";

const DDPM = { name: "ddpm", steps: null, eta: 0, spacing: "uniform" } as const;
const DDIM = { name: "ddim", steps: 7, eta: 0.5, spacing: "trailing" } as const;
const NONE = { sampler: undefined, steps: undefined, eta: undefined, spacing: undefined };

Deno.test("chooseSampler() takes the run's sampler where nothing is given", () => {
  assertEquals(chooseSampler(NONE, { timesteps: 100, sampler: DDIM }), DDIM);
  assertEquals(chooseSampler(NONE, { timesteps: 100, sampler: DDPM }), DDPM);
});

Deno.test("chooseSampler() lets each option replace the run's", () => {
  const run = { timesteps: 100, sampler: DDIM };
  assertEquals(chooseSampler({ ...NONE, steps: 9, eta: 1 }, run), { ...DDIM, steps: 9, eta: 1 });
  assertEquals(chooseSampler({ ...NONE, spacing: "linspace" }, run).spacing, "linspace");
  assertEquals(chooseSampler({ ...NONE, sampler: "ddpm" }, run).steps, null);
  const ddpm = { timesteps: 1000, sampler: DDPM };
  assertEquals(chooseSampler({ ...NONE, sampler: "ddim" }, ddpm).steps, 50);
  assertEquals(chooseSampler({ ...NONE, sampler: "ddim" }, { ...ddpm, timesteps: 20 }).steps, 20);
});

Deno.test("chooseSampler() gives each sampler its own number of steps", () => {
  const run = { timesteps: 1000, sampler: DDIM };
  const solver = chooseSampler({ ...NONE, sampler: "dpmpp-2m" }, run);
  assertEquals([solver.name, solver.steps, solver.spacing], ["dpmpp-2m", 20, "trailing"]);
  assertEquals(chooseSampler({ ...NONE, sampler: "dpmpp-2m" }, { ...run, timesteps: 9 }).steps, 9);
  const own = { timesteps: 1000, sampler: { ...DDIM, name: "dpmpp-2m" as const } };
  assertEquals(chooseSampler(NONE, own).steps, 7);
});

Deno.test("chooseSampler() refuses options that a sampler does not have", () => {
  const run = { timesteps: 100, sampler: DDPM };
  const cases = [
    [{ eta: 1 }, "Cannot use --eta with ddpm: only ddim has one, add --sampler ddim"],
    [{ spacing: "uniform" }, "Cannot use --spacing with ddpm: only ddim, dpmpp-2m, "],
    [{ sampler: "dpmpp-2m", eta: 0 }, "Cannot use --eta with dpmpp-2m"],
  ] as const;
  for (const [options, part] of cases) {
    assertThrows(() => chooseSampler({ ...NONE, ...options }, run), UsageError, part);
  }
});

Deno.test("SAMPLER_OPTIONS say which spacing may take more steps than asked for, with a true example", () => {
  const { steps, spacing } = SAMPLER_OPTIONS;
  assertStringIncludes(steps.description, "some more by the spacings uniform and from-last");
  assertStringIncludes(spacing.description, "72 for 70 of 1000; beta and quadratic leave out");
  const counts = TIMESTEP_SPACINGS.map((name) => [name, spaceTimesteps(name, 1000, 70).length]);
  const more = counts.filter(([, count]) => count !== 70);
  assertEquals([counts.length, more], [9, [["uniform", 72], ["from-last", 72]]]);
});

Deno.test("findCheckpoint() says what is missing, whichever command asks", () =>
  inFolder(async (folder) => {
    const none = `Cannot read a checkpoint from ${folder}/none: there is no such file or folder`;
    await assertRejects(() => findCheckpoint(`${folder}/none`), UsageError, none);
    const empty = `Cannot read a checkpoint from ${folder}: the folder must hold one, it has none`;
    await assertRejects(() => findCheckpoint(folder), UsageError, empty);
  }));

/** What downloads leave behind instead of weights. */
const WEB = {
  "a web page": "<!DOCTYPE html><html>",
  "a pointer of Git LFS": "version https://git-lfs.github.com/spec/v1\noid sha256:0",
};

Deno.test("findCheckpoint() says what to do with files of other code, as a line to paste", () =>
  inFolder(async (folder) => {
    const says = async (path: string, part: string) => {
      const { message } = await assertRejects(() => findCheckpoint(path), UsageError);
      assertStringIncludes(message, part);
      assert(!message.includes("\n"));
    };
    const write = async (name: string, bytes: Uint8Array) => {
      await Deno.writeFile(join(folder, name), bytes);
      return join(folder, name);
    };
    const files = {
      "a.pt": torchZip(null),
      "b.pth": torchLegacy(null),
      "c d.ckpt": torchZip(null),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await says(await write(name, bytes), "it is a file of PyTorch's torch.save");
    }
    await says(await write("n.npz", torchZip(null)), "it is an .npz of NumPy's; make");
    await says(await write("s.pkl", Uint8Array.of(0x80, 4, 0x4e, 0x2e)), "it is a pickle");
    const others = { "an empty file": "", "an HDF5 file": "\x89HDF\r\n\x1a\n----", ...WEB };
    for (const [kind, text] of Object.entries(others)) {
      const path = await write("o.safetensors", Uint8Array.from(text, (c) => c.charCodeAt(0)));
      await assertRejects(() => findCheckpoint(path), Error, `must be safetensors, got ${kind}`);
    }
    await says(
      join(folder, "a.pt"),
      `\`deno task convert ${folder}/a.pt ${folder}/a.safetensors\``,
    );
    await says(
      join(folder, "c d.ckpt"),
      `\`deno task convert '${folder}/c d.ckpt' '${folder}/c d.safetensors'\``,
    );
    const weights = await write("e.safetensors", writeSafetensors([], { format: "pt" }));
    await says(weights, `convert ${weights} ${folder}/e-converted.safetensors\``);
    await write("config.json", new TextEncoder().encode('{"_class_name":"UNet2DModel"}'));
    await Deno.rename(weights, join(folder, "model.safetensors"));
    for (const path of [folder, join(folder, "config.json")]) {
      await says(path, `it is a diffusers model; make a checkpoint of it by \`deno task convert`);
    }
  }));

Deno.test("loadSampler() gives a seed bit-equal floats at 1, 3 and 64 images, by every kernel", () =>
  inFolder(async (folder) => {
    const gpu = await testGpu();
    const config = await smokeConfig("train.steps=6", "train.sampleEvery=0");
    await trainInFolder(config, folder);
    const checkpoint = await findCheckpoint(folder);
    const all = Array.from({ length: 64 }, (_, i) => i);
    const seed = 37;
    const process = makeProcess(config.diffusion);
    try {
      for (const forced of [undefined, ...PORTABLE_FAMILIES]) {
        if (forced) setVariantPolicy(gpu, { forced });
        else restorePolicy(gpu);
        const options = { weights: "ema", batch: 16 } as const;
        const run = { config, checkpoint, process };
        const { sampler, destroy } = await loadSampler(gpu, run, options);
        for (const name of forced ? ["ddim"] as const : SAMPLER_NAMES) {
          const moves = samplerMoves(process, {
            ...{ name, eta: 1, spacing: "trailing" },
            // What a kernel does in one step it does in all.
            steps: name === "ddpm" ? null : forced ? 1 : 5,
          });
          const one = await sampler.sample(moves, [seed]);
          assert(one.some((value) => value !== one[0]) && one.every(Number.isFinite));
          const bits = (images: Float32Array, i: number) =>
            new Uint32Array(images.slice(i * one.length, (i + 1) * one.length).buffer);
          const [three, many] = [
            await sampler.sample(moves, [1, seed, 2]),
            await sampler.sample(moves, all),
          ];
          assertEquals(bits(three, 1), bits(one, 0), `${forced} ${name} at 3 images`);
          assertEquals(bits(many, seed), bits(one, 0), `${forced} ${name} at 64 images`);
          // In every place of a batch, not only in those.
          const places = await sampler.sample(moves, all.slice(0, 16).map(() => seed));
          for (let i = 0; i < 16; i++) assertEquals(bits(places, i), bits(one, 0), `place ${i}`);
        }
        const held = gpu.counters.bufferBytes;
        destroy();
        const freed = held - gpu.counters.bufferBytes;
        assert(freed > 4 * countParameters(networkOf(config)), `${freed} bytes, weights included`);
      }
    } finally {
      restorePolicy(gpu);
    }
  }));

Deno.test("loadSampler() draws nearly the same images in f16, of a run in f32", () =>
  inFolder(async (folder) => {
    const gpu = await testGpu();
    if (!gpu.has("shader-f16")) return;
    const config = await smokeConfig("train.steps=1", "train.sampleEvery=0");
    await trainInFolder(config, folder);
    const checkpoint = await findCheckpoint(folder), process = makeProcess(config.diffusion);
    const moves = samplerMoves(process, { name: "ddim", eta: 0, spacing: "trailing", steps: 2 });
    const draw = async (precision: "f32" | "f16" | undefined) => {
      const options = { weights: "ema", batch: 4, precision } as const;
      const { sampler, destroy } = await loadSampler(gpu, { config, checkpoint, process }, options);
      const images = await sampler.sample(moves, [1, 2]);
      destroy();
      return images;
    };
    const full = await draw("f32"), half = await draw("f16");
    assertEquals(await draw(undefined), full);
    const apart = Math.max(...full.map((value, i) => Math.abs(value - half[i]!)));
    assert(apart > 0 && apart < 0.02, `${apart} apart`);
  }));
