import type { Graph } from "../../autograd/graph.ts";
import type { NetworkInputs } from "../../autograd/network_inputs.ts";
import { Parameter } from "../../autograd/parameter.ts";
import { zeros } from "../../model/init.ts";
import { add } from "../../autograd/ops/add.ts";
import { gatherRows } from "../../autograd/ops/gather_rows.ts";
import { linear } from "../../autograd/ops/matmul.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { type ClassScorer, toldClasses } from "../../diffusion/classifier_guidance.ts";
import { checkGuidance, checkGuidedMoves, type Guide, guidesAt } from "../../diffusion/guidance.ts";
import type { SamplerStep } from "../../diffusion/moves.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { Sampler, type SamplerParts } from "../../diffusion/sampling.ts";
import { guide } from "../../kernels/process/guidance.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../support/assert.ts";
import { compute, randomTensor, randomValues, testGpu, upload } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";

const CLASSES = 3, SHAPE = [5, 2, 3, 2] as const, LENGTH = 12;
/** A picture of each class, and one of none. */
const PICTURES = randomValues((CLASSES + 1) * LENGTH, 5, 0.1);

/** Parts of a sampler whose network adds its class's picture to half the image. */
async function parts(more: Partial<SamplerParts> = {}): Promise<SamplerParts> {
  const gpu = await testGpu();
  const table = upload(gpu, [CLASSES + 1, LENGTH], PICTURES);
  const half = upload(gpu, [1], [0.5]);
  return {
    shape: SHAPE,
    parameters: new Map(),
    process: makeProcess((await smokeConfig()).diffusion),
    conditioning: { labels: CLASSES, labelDropout: 0.1 },
    denoise(graph: Graph, { x, labels }: NetworkInputs) {
      const rows = gatherRows(graph.constant(table), graph.constant(labels!));
      return add(reshape(rows, x.shape), add(x, graph.constant(half)));
    },
    ...more,
  };
}

/** Steps whose result is what the network says, at a high and a low level. */
const step = (timestep: number): SamplerStep => ({
  ...{ timestep, previous: timestep - 1, xToX0: -1, fToX0: 1, clip: false },
  ...{ fromX0: 1, fromX: 0, fromF: 0, noise: 0 },
});

/** What one step makes of five images of given classes. */
async function sampled(more: Partial<SamplerParts>, timestep = 10): Promise<Float32Array> {
  const sampler = await Sampler.create(await testGpu(), await parts(more));
  const labels = [2, 0, 1, 1, 2];
  const images = await sampler.sample([step(timestep)], [1, 2, 3, 4, 5], { labels });
  sampler.destroy();
  return images;
}

const expected = (scale: number, channels = 2) =>
  [2, 0, 1, 1, 2].flatMap((label) =>
    Array.from({ length: LENGTH }, (_, i) => {
      const c = PICTURES[label * LENGTH + i]!, u = PICTURES[CLASSES * LENGTH + i]!;
      return 0.5 + (i % 2 < channels ? u + scale * (c - u) : c);
    })
  );

const GUIDANCE = { scale: 1.5, interval: null, rescale: 0 };

for (const together of [true, false]) {
  Deno.test(`Sampler.sample() guides by what the network says without a class, asked ${together ? "together" : "apart"}`, async () => {
    const guided = await sampled({ guidance: GUIDANCE, together });
    assertAllClose(guided, expected(1.5), { rtol: 1e-5, atol: 1e-5 });
    const first = await sampled({ guidance: GUIDANCE, together, guidedChannels: 1 });
    assertAllClose(first, expected(1.5, 1), { rtol: 1e-5, atol: 1e-5 });
  });
}

Deno.test("Sampler.sample() guides inside the interval alone, and keeps images across it", async () => {
  const { process: { schedule } } = await parts();
  const { signal, noise } = schedule.at(10);
  const around = [0.9 * noise / signal, 1.1 * noise / signal] as const;
  const guidance = { ...GUIDANCE, interval: around };
  assert(guidesAt(guidance, schedule.at(10)) && !guidesAt(guidance, schedule.at(2)));
  assertAllClose(await sampled({ guidance }, 10), expected(1.5), { rtol: 1e-5, atol: 1e-5 });
  assertAllClose(await sampled({ guidance }, 2), expected(1), { rtol: 1e-5, atol: 1e-5 });
  const sampler = await Sampler.create(await testGpu(), await parts({ guidance }));
  const moves = [
    { ...step(10), keep: [{ x0: 1 }] },
    { ...step(2), fromX0: 0, fromKept: [1] },
  ];
  const labels = [2, 0, 1, 1, 2];
  const kept = await sampler.sample(moves, [1, 2, 3, 4, 5], { labels });
  assertAllClose(kept, expected(1.5), { rtol: 1e-5, atol: 1e-5 });
  sampler.destroy();
});

Deno.test("Sampler.sample() guides away from what another network says, with the class or without", async () => {
  const gpu = await testGpu();
  const worse = PICTURES.map((value, i) => value * (i % 5) / 5);
  const table = upload(gpu, [CLASSES + 1, LENGTH], worse);
  const picture = new Parameter([CLASSES + 1, LENGTH], zeros);
  const half = upload(gpu, [1], [0.5]);
  // Its picture is a parameter, so that its weights have to be at hand.
  const guide = (labelled: boolean): Guide => ({
    parameters: new Map([[picture, { value: table }]]),
    conditioning: labelled ? { labels: CLASSES } : {},
    denoise(graph, { x, labels }) {
      assertEquals(labels !== undefined, labelled);
      const none = graph.capture.constant([5], new Uint32Array(5).fill(CLASSES), "none");
      const rows = gatherRows(graph.parameter(picture), graph.constant(labels ?? none));
      return add(reshape(rows, x.shape), add(x, graph.constant(half)));
    },
  });
  for (const labelled of [true, false]) {
    // It need not have learnt to do without a class.
    const conditioning = { labels: CLASSES };
    const found = await sampled({ guidance: GUIDANCE, guide: guide(labelled), conditioning });
    const expected = [2, 0, 1, 1, 2].flatMap((label) =>
      Array.from({ length: LENGTH }, (_, i) => {
        const c = PICTURES[label * LENGTH + i]!;
        const g = worse[(labelled ? label : CLASSES) * LENGTH + i]!;
        return 0.5 + g + 1.5 * (c - g);
      })
    );
    assertAllClose(found, expected, { rtol: 1e-5, atol: 1e-5 });
  }
});

Deno.test("checkGuidance() refuses a guide that wants to know what the network does not", () => {
  checkGuidance({ conditioning: {}, guide: {} });
  for (
    const [conditioning, guide, message] of [
      [
        {},
        { conditioning: { labels: 3 } },
        "must know the network's classes, 0, or none, it knows 3",
      ],
      [{ labels: 3 }, { conditioning: { augment: 9 } }, "augmentation, 0, or none, it knows 9"],
      [{}, { conditioning: { selfCondition: true } }, "predicted before"],
      [{}, { stages: [1, 2] }, "must be a network of all levels"],
    ] as const
  ) {
    assertThrows(() => checkGuidance({ conditioning, guide }), RangeError, message);
  }
});

Deno.test("Sampler.create() refuses guidance of networks that know no classes, or always had one", async () => {
  const gpu = await testGpu();
  for (
    const [conditioning, message] of [
      [{}, "the network must know of classes, it knows none"],
      [{ labels: 3 }, "it always had one; train it with --model.labelDropout=0.1"],
    ] as const
  ) {
    const made = await parts({ conditioning, guidance: GUIDANCE });
    await assertRejects(() => Sampler.create(gpu, made), RangeError, message);
  }
});

for (const shape of [[3, 5, 4, 3], [2, 16, 8, 1]]) {
  Deno.test(`guide() of [${shape}] brings deviations back as far as asked`, async () => {
    const gpu = await testGpu();
    const c = randomTensor(gpu, shape, 1), u = randomTensor(gpu, shape, 2, 0.7);
    const both = upload(gpu, [2 * shape[0]!, ...shape.slice(1)], [
      ...await gpu.readF32(c),
      ...await gpu.readF32(u),
    ]);
    const strength = { scale: 3, rescale: 0.7, channels: shape[3]! };
    const found = await compute(gpu, (capture) => ({
      apart: guide(capture, { conditional: c, unconditional: u }, strength),
      together: guide(capture, { both }, strength),
    }));
    const [cs, us] = [await gpu.readF32(c), await gpu.readF32(u)];
    const length = cs.length / shape[0]!;
    const reference = Array.from({ length: shape[0]! }, (_, n) => {
      const own = (values: Float32Array) => [...values.subarray(n * length, (n + 1) * length)];
      const given = own(cs), without = own(us);
      const guided = given.map((value, i) => without[i]! + 3 * (value - without[i]!));
      const deviation = (values: number[]) => {
        const mean = values.reduce((a, b) => a + b) / length;
        return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / length);
      };
      const factor = 0.7 * deviation(given) / deviation(guided) + 0.3;
      return guided.map((value) => factor * value);
    }).flat();
    for (const name of ["apart", "together"] as const) {
      assertAllClose(found[name] as Float32Array, reference, { rtol: 1e-5, atol: 1e-5, name });
    }
  });
}

Deno.test("guide() refuses predictions that are no pairs", async () => {
  const gpu = await testGpu();
  const [a, b] = [gpu.tensor([3, 2, 2, 1]), gpu.tensor([3, 2, 2, 2])];
  const strength = { scale: 2, rescale: 0, channels: 1 };
  await compute(gpu, (capture) => {
    const apart = { conditional: a, unconditional: b };
    assertThrows(() => guide(capture, apart, strength), RangeError, "must have one shape");
    assertThrows(() => guide(capture, { both: a }, strength), RangeError, "must be pairs");
    return {};
  });
});

Deno.test("Sampler.sample() takes the noise of a step from what is said of no class where asked", async () => {
  const taken = { ...step(10), fromX0: 0.8, fromX: -0.6, fromF: 0.1, clip: false };
  const made = await parts({ guidance: { ...GUIDANCE, unconditionalNoise: true } });
  const { signal } = made.process.schedule.at(taken.previous);
  const seeds = [1, 2, 3, 4, 5], labels = [2, 0, 1, 1, 2];
  const sampler = await Sampler.create(await testGpu(), made);
  const found = await sampler.sample([taken], seeds, { labels });
  const start = await sampler.startNoise(seeds);
  sampler.destroy();
  // The network says a picture and the image and a half: x0 = f - x.
  const expected = labels.flatMap((label, n) =>
    Array.from({ length: LENGTH }, (_, i) => {
      const x = start[n * LENGTH + i]!;
      const c = 0.5 + PICTURES[label * LENGTH + i]!, u = 0.5 + PICTURES[CLASSES * LENGTH + i]!;
      const guided = u + 1.5 * (c - u);
      const next = 0.8 * u - 0.6 * x + 0.1 * (x + u) + signal * (guided - u);
      return Math.max(-1, Math.min(1, next));
    })
  );
  assertAllClose(found, expected, { rtol: 1e-5, atol: 1e-5 });
});

Deno.test("checkGuidedMoves() refuses CFG++ where a step goes by several evaluations or thresholds", () => {
  const plus = { ...GUIDANCE, unconditionalNoise: true };
  const kept = [{ ...step(10), keep: [{ x0: 1 }] }];
  checkGuidedMoves(GUIDANCE, kept);
  checkGuidedMoves(plus, [step(10)]);
  const several = "must go by one evaluation";
  assertThrows(() => checkGuidedMoves(plus, kept), RangeError, several);
  assertThrows(() => checkGuidedMoves(plus, [{ ...step(1), fromBefore: 1 }]), RangeError, several);
  const threshold = { ratio: 0.9, most: 2 };
  assertThrows(() => checkGuidedMoves(plus, [{ ...step(1), threshold }]), RangeError, "threshold");
});

Deno.test("Sampler.sample() moves what the network says by the gradient of a classifier's log probability", async () => {
  const gpu = await testGpu(), made = await parts();
  const matrix = randomValues(LENGTH * CLASSES, 9, 0.5), labels = [2, 0, 1, 1, 2];
  const weight = new Parameter([LENGTH, CLASSES], zeros);
  const scorer: ClassScorer = {
    parameters: new Map([[weight, { value: upload(gpu, [LENGTH, CLASSES], matrix) }]]),
    classes: CLASSES,
    scores: (x) => linear(reshape(x, [5, LENGTH]), x.graph.parameter(weight)),
  };
  const [slope, offset] = [upload(gpu, [1], [0.3]), upload(gpu, [1], [0.1])];
  const asked = toldClasses({
    // A network of no classes, of which the gradient goes through a slope.
    conditioning: {},
    denoise(graph: Graph, { x, labels }: NetworkInputs) {
      assertEquals(labels, undefined);
      return add(mul(x, graph.constant(slope)), graph.constant(offset));
    },
  }, scorer);
  const guidance = { scale: 0.7, interval: null, rescale: 0 };
  const taken = { ...step(10), xToX0: 0.2, fToX0: 0.5, fromX0: 0, fromF: 1 };
  const sampler = await Sampler.create(gpu, { ...made, ...asked, scorer, guidance });
  const seeds = [1, 2, 3, 4, 5];
  const found = await sampler.sample([taken], seeds, { labels });
  const start = await sampler.startNoise(seeds);
  sampler.destroy();
  const { signal, noise } = made.process.schedule.at(10);
  const expected = labels.flatMap((label, n) => {
    const x = start.subarray(n * LENGTH, (n + 1) * LENGTH);
    const clean = Array.from(x, (value) => 0.2 * value + 0.5 * (0.3 * value + 0.1));
    const scores = [0, 1, 2].map((k) =>
      clean.reduce((sum, v, i) => sum + Math.max(-1, Math.min(1, v)) * matrix[i * CLASSES + k]!, 0)
    );
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    return Array.from(x, (value, i) => {
      const own = [0, 1, 2].reduce(
        (sum, k) =>
          sum + ((k === label ? 1 : 0) - Math.exp(scores[k]!) / total) * matrix[i * CLASSES + k]!,
        0,
      );
      // d x0 / d x is 0.2 + 0.5 * 0.3, and nothing where x0 is clipped.
      const gradient = Math.abs(clean[i]!) < 1 ? own * (0.2 + 0.5 * 0.3) : 0;
      const f = 0.3 * value + 0.1 + 0.7 * noise ** 2 / (signal * 0.5) * gradient;
      return Math.max(-1, Math.min(1, f));
    });
  });
  assertAllClose(found, expected, { rtol: 1e-5, atol: 2e-5 });
  assertThrows(
    () => toldClasses({ ...asked, conditioning: { labels: 9 } }, scorer),
    RangeError,
    "must know the network's 9 classes, it knows 3",
  );
});
