import { Capture } from "../../../../device/capture.ts";
import type { Gpu } from "../../../../device/gpu.ts";
import { sizeOf } from "../../../../device/tensor.ts";
import { createInception, fillBatch } from "../../../../metrics/judges/features/inception.ts";
import {
  CLASSIFIER,
  convolutionsOf,
  type ConvStep,
  type Stage,
  STAGES,
  type Step,
} from "../../../../metrics/judges/features/inception_layers.ts";
import {
  captureInception,
  captureStages,
} from "../../../../metrics/judges/features/inception_network.ts";
import {
  foldConvolutions,
  type HostTensor,
  inceptionWeights,
  type StateDict,
  type StateTensor,
} from "../../../../metrics/judges/features/inception_weights.ts";
import { stagesReference } from "../../../reference/inception.ts";
import {
  assertAllClose,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../../support/gpu.ts";

function conv(
  name: string,
  channels: number,
  kernel: [number, number],
  padding: [number, number],
  stride = 1,
): ConvStep {
  return { op: "conv", name, channels, kernel, stride, padding };
}

const AVERAGE: Step = { op: "averagePool" };

/** A small network with a step of each kind. */
const SMALL: readonly Stage[] = [
  { name: "stem", branches: [[conv("stem", 5, [3, 3], [0, 0], 2)]] },
  { name: "pool", branches: [[{ op: "maxPool", stride: 2, padding: 0 }]] },
  {
    name: "mixed",
    branches: [
      [conv("mixed.a", 4, [1, 1], [0, 0])],
      [conv("mixed.b1", 3, [1, 1], [0, 0]), {
        op: "split",
        branches: [[conv("mixed.b2a", 4, [1, 3], [0, 1])], [conv("mixed.b2b", 8, [3, 1], [1, 0])]],
      }],
      [AVERAGE, conv("mixed.c", 4, [1, 1], [0, 0])],
      [{ op: "maxPool", stride: 1, padding: 1 }],
    ],
  },
  {
    name: "halved",
    branches: [[conv("halved.a1", 4, [1, 7], [0, 3]), conv("halved.a2", 4, [3, 3], [0, 0], 2)], [{
      op: "maxPool",
      stride: 2,
      padding: 0,
    }]],
  },
];

/** A state_dict of random weights. */
function randomState(stages: readonly Stage[], inputs: number): Map<string, StateTensor> {
  const state = new Map<string, StateTensor>();
  let seed = 10;
  const add = (name: string, shape: number[], map: (x: number) => number) =>
    state.set(name, { shape, data: randomValues(sizeOf(shape), seed++).map(map) });
  for (const { step, inputs: ci } of convolutionsOf(stages, inputs)) {
    const { name, channels, kernel } = step;
    add(`${name}.conv.weight`, [channels, ci, ...kernel], (x) => 0.3 * x);
    add(`${name}.bn.weight`, [channels], (x) => 1 + 0.2 * x);
    add(`${name}.bn.bias`, [channels], (x) => 0.2 * x);
    add(`${name}.bn.running_mean`, [channels], (x) => 0.2 * x);
    add(`${name}.bn.running_var`, [channels], (x) => 0.5 + x * x);
  }
  return state;
}

/** The folded convolutions on the GPU. */
function uploadFolded(gpu: Gpu, state: StateDict, stages: readonly Stage[], inputs: number) {
  const folded = foldConvolutions(state, stages, inputs);
  const put = ({ shape, data }: HostTensor) => upload(gpu, shape, data);
  return (name: string) => {
    const { weight, bias } = folded.get(name)!;
    return { weight: put(weight), bias: put(bias) };
  };
}

Deno.test("captureStages() matches the f64 loops with batch normalisation unfolded", async () => {
  const gpu = await testGpu();
  const shape = [2, 31, 27, 3] as const;
  const x = randomValues(sizeOf(shape));
  const state = randomState(SMALL, 3);
  const convolution = uploadFolded(gpu, state, SMALL, 3);
  const names: string[] = [];
  const { y } = await compute(gpu, (capture) => ({
    y: captureStages(capture, SMALL, upload(gpu, shape, x), convolution, (name, { shape }) => {
      names.push(`${name} ${shape}`);
    }),
  }));
  const expected = stagesReference(state, SMALL, { shape, data: Float64Array.from(x) });
  assertEquals(names, ["stem 2,15,13,5", "pool 2,7,6,5", "mixed 2,7,6,25", "halved 2,3,2,29"]);
  assertEquals(expected.shape, [2, 3, 2, 29]);
  assertAllClose(y, expected.data, { name: "y", rtol: 1e-5, atol: 1e-5 });
});

Deno.test("captureInception() gives each stage the shape that it has in PyTorch", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "Inception");
  const shapes = new Map<string, string>();
  const convolutions = new Map(
    convolutionsOf(STAGES, 3).map(({ step, inputs }) => [step.name, {
      weight: capture.input(`${step.name} weight`, [...step.kernel, inputs, step.channels]),
      bias: capture.input(`${step.name} bias`, [step.channels]),
    }]),
  );
  const images = capture.input("images", [2, 32, 32, 3]);
  const parameters = {
    convolution: (name: string) => convolutions.get(name)!,
    classifier: capture.input("classifier", [2048, 1008]),
  };
  captureInception(capture, images, parameters, (name, { shape }) => {
    shapes.set(name, shape.join("x"));
  });
  assertEquals(Object.fromEntries(shapes), {
    resized: "2x299x299x3",
    normalised: "2x299x299x3",
    Conv2d_1a_3x3: "2x149x149x32",
    Conv2d_2a_3x3: "2x147x147x32",
    Conv2d_2b_3x3: "2x147x147x64",
    maxpool1: "2x73x73x64",
    Conv2d_3b_1x1: "2x73x73x80",
    Conv2d_4a_3x3: "2x71x71x192",
    maxpool2: "2x35x35x192",
    Mixed_5b: "2x35x35x256",
    Mixed_5c: "2x35x35x288",
    Mixed_5d: "2x35x35x288",
    Mixed_6a: "2x17x17x768",
    Mixed_6b: "2x17x17x768",
    Mixed_6c: "2x17x17x768",
    Mixed_6d: "2x17x17x768",
    Mixed_6e: "2x17x17x768",
    Mixed_7a: "2x8x8x1280",
    Mixed_7b: "2x8x8x2048",
    Mixed_7c: "2x8x8x2048",
    pool: "2x2048",
    logits: "2x1008",
    probabilities: "2x1008",
  });
});

Deno.test("convolutionsOf() finds the 94 convolutions and their 21,751,136 weights", () => {
  const found = convolutionsOf(STAGES, 3);
  assertEquals(new Set(found.map(({ step }) => step.name)).size, 94);
  const weights = found.reduce(
    (sum, { step, inputs }) => sum + step.kernel[0] * step.kernel[1] * inputs * step.channels,
    0,
  );
  assertEquals(weights, 21_751_136);
});

Deno.test("inceptionWeights() names a tensor that is missing or of another network", () => {
  assertThrows(() => inceptionWeights(new Map()), RangeError, "got no such tensor");
  const state = new Map(
    convolutionsOf(STAGES, 3).flatMap(({ step, inputs }) => {
      const vector = { shape: [step.channels], data: new Float32Array(step.channels) };
      const shape = [step.channels, inputs, ...step.kernel];
      return [
        [`${step.name}.conv.weight`, { shape, data: { length: sizeOf(shape) } }],
        ...["weight", "bias", "running_mean", "running_var"]
          .map((part) => [`${step.name}.bn.${part}`, vector] as const),
      ] as [string, StateTensor][];
    }).slice(0, 5),
  );
  state.set(CLASSIFIER, { shape: [1000, 2048], data: new Float32Array(0) });
  assertThrows(() => inceptionWeights(state), RangeError, "Conv2d_2a_3x3.bn.weight");
  assertThrows(
    () => foldConvolutions(randomState(SMALL, 4), SMALL, 3),
    RangeError,
    "stem.conv.weight must have shape [5, 3, 3, 3], got [5, 4, 3, 3]",
  );
});

Deno.test("fillBatch() scales bytes, takes numbers as they are and repeats grey", () => {
  const batch = new Float32Array(6).fill(9);
  const size = { count: 2, height: 1, width: 2 };
  const grey = { ...size, images: Uint8Array.of(0, 51, 255, 102), channels: 1 };
  fillBatch(batch, grey, 1, 1);
  assertEquals([...batch], [1, 1, 1, ...Array(3).fill(Math.fround(0.4))]);
  const colours = Float32Array.from({ length: 12 }, (_, i) => i / 16);
  fillBatch(batch, { ...size, images: colours, channels: 3 }, 1, 1);
  assertEquals([...batch], [...colours.subarray(6)]);
});

Deno.test("Inception refuses micro-batches and images that it cannot take", async () => {
  const gpu = await testGpu();
  const weights = {
    convolutions: new Map(),
    classifier: { shape: [2], data: new Float32Array(2) },
  };
  assertThrows(() => createInception(gpu, weights, { microBatch: 0 }), RangeError, "from 1 to 32");
  assertThrows(() => createInception(gpu, weights, { microBatch: 33 }), RangeError, "got 33");
  const inception = createInception(gpu, weights);
  const images = { images: new Uint8Array(8), count: 1, height: 2, width: 2, channels: 2 };
  await assertRejects(() => inception.features(images), RangeError, "got 2 channels");
  await assertRejects(
    () => inception.features({ ...images, channels: 3 }),
    RangeError,
    "12 values, got 3 channels and 8 values",
  );
  const nothing = { ...images, images: new Uint8Array(0), count: 0, channels: 3 };
  const none = await inception.features(nothing);
  assertEquals([none.pool.length, none.probabilities.length], [0, 0]);
  inception.destroy();
});
