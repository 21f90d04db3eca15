import { Graph } from "../../../../autograd/graph.ts";
import { mean } from "../../../../autograd/ops/reduce.ts";
import { parseConfig } from "../../../../config/load.ts";
import { Capture } from "../../../../device/capture.ts";
import { checkTensors, fromPytorch, toPytorch } from "../../../../model/names/pytorch.ts";
import { namedParameters } from "../../../../model/module.ts";
import { edmNames } from "../../../../model/networks/edm/names.ts";
import { type EdmOptions, OPTIONS } from "../../../../model/networks/edm/options.ts";
import { EdmUNet } from "../../../../model/networks/edm/unet.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  writeArenas,
} from "../../../../model/parameters.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { randomTensor, randomValues, testGpu, upload } from "../../../support/gpu.ts";
import { trainInFolder } from "../../../support/runs.ts";

const DEFAULTS = Object.fromEntries(
  Object.entries(OPTIONS).map(([key, { initial }]) => [key, initial]),
) as unknown as EdmOptions;

const SMALL: EdmOptions = {
  ...DEFAULTS,
  ...{ channels: 8, channelMultipliers: [1, 2, 1], blocks: 1, attentionLevels: [1], dropout: 0 },
  ...{ classes: 3, augmentNumbers: 2 },
};
const SHAPE = { height: 8, width: 8, channels: 1, timesteps: 10 };

/** What a network of random weights gives, and how long the gradient of each parameter is. */
async function run(options: EdmOptions, labels: readonly number[]) {
  const gpu = await testGpu();
  const network = new EdmUNet(options, SHAPE);
  const weights = createArena(gpu, "weights", network), grads = createArena(gpu, "grads", network);
  writeArenas(
    gpu,
    [weights],
    Array.from(
      namedParameters(network),
      ([name, { shape }], i) =>
        [name, randomValues(shape.reduce((a, b) => a * b, 1), i + 1, 0.3)] as const,
    ),
  );
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights, grads) });
  const n = labels.length;
  const out = network.forward(graph, {
    x: graph.constant(randomTensor(gpu, [n, 8, 8, 1])),
    level: upload(gpu, [n], [3, 7, 0].slice(0, n), "u32"),
    labels: upload(gpu, [n], labels, "u32"),
    augment: upload(gpu, [n, 2], randomValues(2 * n, 5)),
  });
  graph.backward(mean(out));
  capture.keep(out.ref);
  const program = await capture.plan();
  program.run();
  const values = await program.readF32(out.ref);
  const silent: string[] = [];
  for (const [name, parameter] of namedParameters(network)) {
    const gradient = await gpu.readF32(grads.get(name));
    if (parameter.learned && gradient.every((value) => value === 0)) silent.push(name);
  }
  program.destroy();
  for (const arena of [weights, grads]) arena.destroy(gpu);
  return { shape: out.shape, values, silent, network };
}

Deno.test("EdmUNet's every parameter takes part, whatever the encoder, decoder and filter", async () => {
  for (const encoder of ["skip", "residual"] as const) {
    const decoder = encoder === "residual" ? "standard" : "skip";
    const { shape, silent, values } = await run({
      ...SMALL,
      ...{
        encoder,
        decoder,
        resampleFilter: encoder === "skip" ? [1, 2, 3, 3, 2, 1] : [1, 3, 3, 1],
      },
    }, [0, 1, 2]);
    assertEquals(shape, [3, 8, 8, 1]);
    assert(values.every(Number.isFinite));
    assertEquals(silent, [], encoder);
  }
});

Deno.test("EdmUNet takes the number of classes for no class", async () => {
  const options = { ...SMALL, channelMultipliers: [1, 2] };
  const { values } = await run(options, [0, 3]);
  const { values: other } = await run(options, [0, 1]);
  assertEquals(values.subarray(0, 64), other.subarray(0, 64));
  assert(values.subarray(64).some((value, i) => Math.abs(value - other[64 + i]!) > 1e-4));
});

Deno.test("EdmUNet of dhariwal has heads of 64 channels, and none where there are fewer", () => {
  const network = new EdmUNet({
    ...SMALL,
    ...{
      architecture: "dhariwal",
      channels: 32,
      channelMultipliers: [1, 4],
      attentionLevels: [0, 1],
    },
  }, SHAPE);
  assertEquals(network.encoder.map(({ blocks }) => blocks[0]!.options.heads), [0, 2]);
  assertEquals(network.encoder[0]!.blocks[0]!.qkv, undefined);
});

Deno.test("edmNames() name every parameter once, with filters, and values come back unchanged", () => {
  const network = new EdmUNet({ ...SMALL, encoder: "skip", decoder: "skip" }, SHAPE);
  const entries = edmNames(network);
  const names = entries.map(({ pytorchName }) => pytorchName);
  assertEquals(new Set(names).size, names.length);
  for (
    const name of [
      "model.enc.4x4_aux_down.resample_filter",
      "model.enc.2x2_aux_skip.weight",
      "model.dec.4x4_aux_up.resample_filter",
      "model.dec.2x2_aux_conv.bias",
      "model.dec.8x8_up.skip.resample_filter",
    ]
  ) assert(names.includes(name), name);
  checkTensors(
    "it",
    entries,
    new Map(entries.map((e) => [e.pytorchName, { shape: e.pytorchShape }])),
  );
  const learned = entries.flatMap((entry) => entry.kind === "parameter" ? [entry] : []);
  assertEquals(
    learned.map(({ name }) => name).sort(),
    Array.from(namedParameters(network), ([name]) => name).sort(),
  );
  for (const [name, values] of initialValues(network, 1)) {
    const entry = learned.find((one) => one.name === name)!;
    assertEquals(fromPytorch(entry, toPytorch(entry, values)), values, name);
  }
});

const CONFIG = {
  data: {
    name: "synthetic",
    size: 8,
    synthetic: { kind: "shapes", channels: 1, count: 32 },
    flip: true,
  },
  model: {
    ...{ name: "edm", channels: 8, channelMultipliers: [1, 2], blocks: 1, attentionLevels: [] },
    ...{ classes: 6, labelDropout: 0.2, augmentNumbers: 9, embedding: "fourier" },
  },
  diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
  train: { steps: 2, batchSize: 4, sampleCount: 4, evalEvery: 2, evalCount: 4, logEvery: 1 },
};

const parse = (model: Record<string, unknown>) =>
  parseConfig(JSON.stringify({ ...CONFIG, model: { ...CONFIG.model, ...model } }), {
    path: "test",
  });

Deno.test("EDM trains from a config with classes and augmentation, and goes on", () =>
  inFolder(async (folder) => {
    const first = await trainInFolder(parse({}), folder, { stopAfter: 1 });
    assertEquals([first.step, first.finished], [1, false]);
    const { step, finished } = await trainInFolder(parse({}), folder, { resume: true });
    assertEquals([step, finished], [2, true]);
  }));

Deno.test("EDM refuses options that do not go together", () => {
  for (
    const [model, rule] of [
      [{ channels: 7 }, "model.channels must be even"],
      [{ channels: 140 }, "model.channels must give widths that are multiples of their groups"],
      [{ attentionLevels: [2] }, "model.attentionLevels must name levels from 0 to 1"],
      [{ resampleFilter: [1, 2, 1] }, "model.resampleFilter must hold an even number"],
      [{ classes: 0, labelDropout: 0.2 }, "model.labelDropout must be 0"],
      [{ architecture: "dhariwal" }, 'model.embedding must be "positional"'],
    ] as const
  ) assertThrows(() => parse(model), UsageError, rule);
});
