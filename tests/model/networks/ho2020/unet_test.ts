import { Graph } from "../../../../autograd/graph.ts";
import type { Arena } from "../../../../device/arena.ts";
import { Capture } from "../../../../device/capture.ts";
import type { Gpu } from "../../../../device/gpu.ts";
import type { HostArray, TensorRef } from "../../../../device/tensor.ts";
import type { UNetOptions } from "../../../../model/networks/ho2020/options.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  readArena,
  writeArenas,
} from "../../../../model/parameters.ts";
import { mseLoss } from "../../../../autograd/ops/losses.ts";
import { UNet } from "../../../../model/networks/ho2020/unet.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../../support/assert.ts";
import { randomTensor, randomValues, testGpu, upload } from "../../../support/gpu.ts";

const TINY: UNetOptions = {
  name: "ho2020",
  channels: 4,
  channelMultipliers: [1, 2],
  attentionLevels: [0],
  blocks: 1,
  dropout: 0,
  groups: 2,
  classes: 0,
  labelDropout: 0,
};
const SHAPE = { channels: 1, timesteps: 20 };

/** Weights of ordinary size: the initial ones make most gradients vanish. */
function* roughValues(network: UNet): Generator<[string, Float32Array<ArrayBuffer>]> {
  let seed = 1;
  for (const [name, values] of initialValues(network, 0)) {
    const noise = randomValues(values.length, seed++, 0.2);
    yield [name, values.map((v, i) => (v === 1 ? 1 : 0) + noise[i]!)];
  }
}

function roughWeights(gpu: Gpu, network: UNet): Arena {
  const weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], roughValues(network));
  return weights;
}

interface Preparation {
  /** Where the weights are; filled with rough values of its own unless given. */
  readonly weights?: Arena;
  /** Gradient of the objective; the program then computes the weights' too. */
  readonly outputGrad?: TensorRef;
  readonly timesteps?: number[];
  readonly training?: boolean;
}

/** A network ready to run on two images of 4 x 6. */
async function prepare(gpu: Gpu, network: UNet, how: Preparation = {}) {
  const { weights = roughWeights(gpu, network), outputGrad, timesteps = [3, 17] } = how;
  const grads = createArena(gpu, "gradients", network);
  const capture = new Capture(gpu, "U-Net");
  const graph = new Graph(capture, {
    parameters: parameterSlots(network, weights, outputGrad && grads),
    random: upload(gpu, [4], [1, 2, 3, 0], "u32"),
    training: how.training ?? false,
  });
  const x = graph.constant(randomTensor(gpu, [2, 4, 6, network.shape.channels], 5));
  const output = network.forward(graph, { x, level: upload(gpu, [2], timesteps, "u32") });
  capture.keep(output.ref);
  if (outputGrad) graph.backward(output, outputGrad);
  const program = await capture.plan();
  const run = async () => {
    program.run();
    return await program.readF32(output.ref);
  };
  return { run, weights, grads, output };
}

async function outputOf(options: UNetOptions, how: Preparation = {}) {
  const { run } = await prepare(await testGpu(), new UNet(options, SHAPE), how);
  return await run();
}

const largest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((most, v) => Math.max(most, Math.abs(v)), 0);

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);

const difference = (a: HostArray, b: HostArray) =>
  largest(Float32Array.from(a, (v, i) => v - b[i]!));

Deno.test("UNet.forward() keeps the images' shape", async () => {
  const gpu = await testGpu();
  const network = new UNet({ ...TINY, blocks: 2 }, { channels: 3, timesteps: 20 });
  const { run, output } = await prepare(gpu, network);
  assertEquals(output.shape, [2, 4, 6, 3]);
  const values = await run();
  assert(values.every(Number.isFinite) && largest(values) > 0.01);
});

Deno.test("UNet.forward() has gradients that match finite differences, layer by layer", async () => {
  const gpu = await testGpu();
  const network = new UNet(TINY, SHAPE);
  const direction = randomValues(48, 11);
  const backward = await prepare(gpu, network, {
    outputGrad: upload(gpu, [2, 4, 6, 1], direction),
  });
  await backward.run();
  const grads = new Map<string, Float32Array>();
  for await (const [name, values] of readArena(gpu, backward.grads)) grads.set(name, values);
  const scale = largest([...grads.values()].map(largest));

  const { weights } = backward;
  const forward = await prepare(gpu, network, { weights });
  const layers = new Map<string, [string, Float32Array<ArrayBuffer>][]>();
  for (const [name, values] of roughValues(network)) {
    const layer = name.replace(/\.\w+$/, "");
    layers.set(layer, [...layers.get(layer) ?? [], [name, values]]);
  }
  let seed = 100;
  for (const [layer, parameters] of layers) {
    const moves = parameters.map(([name, values]) => {
      const along = randomValues(values.length, seed++, 0.5 / Math.sqrt(values.length));
      return { name, values, along };
    });
    const objective = async (by: number) => {
      for (const { name, values, along } of moves) {
        gpu.write(weights.get(name), values.map((v, i) => v + by * along[i]!));
      }
      return dot(await forward.run(), direction);
    };
    const step = 0.02;
    const measured = (await objective(step) - await objective(-step)) / (2 * step);
    for (const { name, values } of moves) gpu.write(weights.get(name), values);
    const expected = moves.reduce((sum, { name, along }) => sum + dot(grads.get(name)!, along), 0);
    assert(
      Math.abs(measured - expected) <= 0.01 * Math.abs(expected) + 1e-4 * scale,
      `${layer}: measured ${measured}, expected ${expected}, largest gradient ${scale}`,
    );
  }
});

Deno.test("UNet.forward() starts out near 0, with attention's projection at full size", async () => {
  const network = new UNet({ ...TINY, channels: 32, groups: 8 }, SHAPE);
  const values = new Map(initialValues(network, 1));
  const bound = (inputs: number, outputs: number) => Math.sqrt(6 / (inputs + outputs));
  const near = (name: string, expected: number) => {
    const most = largest(values.get(name)!);
    assert(most <= expected && most > 0.9 * expected, `${name}: ${most} against ${expected}`);
  };
  near("head.weight", bound(9, 9 * 32));
  near("down.0.blocks.0.conv1.weight", bound(9 * 32, 9 * 32));
  near("down.0.blocks.0.conv2.weight", 1e-5 * bound(9 * 32, 9 * 32));
  near("down.0.blocks.0.time.weight", bound(128, 32));
  near("down.0.blocks.0.attention.output.weight", bound(32, 32));
  near("middle.0.attention.output.weight", bound(64, 64));
  near("down.1.blocks.0.shortcut.weight", bound(32, 64));
  near("up.1.upsample.conv.weight", bound(9 * 64, 9 * 64));
  near("tail.conv.weight", 1e-5 * bound(9 * 32, 9));
  for (const [name, value] of values) {
    const norm = /norm\d?\.weight$/.test(name);
    if (norm || name.endsWith("bias")) assert(value.every((v) => v === (norm ? 1 : 0)), name);
  }
  const gpu = await testGpu();
  const weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], values);
  const { run } = await prepare(gpu, network, { weights });
  const most = largest(await run());
  assert(most > 0 && most < 1e-3, `largest output ${most}`);
});

Deno.test("UNet.forward() sees the timestep, unless every group is a single channel", async () => {
  const options = { ...TINY, attentionLevels: [], channelMultipliers: [1] };
  for (const [groups, sees] of [[2, true], [4, false]] as const) {
    const network = { ...options, groups };
    const a = await outputOf(network, { timesteps: [1, 1] });
    const b = await outputOf(network, { timesteps: [15, 1] });
    const change = difference(a, b) / largest(a);
    assert(sees ? change > 1e-3 : change < 1e-5, `${groups} groups: change of ${change}`);
    // The second image has the same timestep in both.
    assertEquals(difference(a.slice(24), b.slice(24)), 0);
  }
});

Deno.test("UNet.forward() drops only while training", async () => {
  const options = { ...TINY, dropout: 0.5 };
  const plain = await outputOf(TINY);
  assertEquals(difference(await outputOf(options), plain), 0);
  const dropped = await outputOf(options, { training: true });
  assert(difference(dropped, plain) > 1e-3);
  assertEquals(difference(await outputOf(options, { training: true }), dropped), 0);
});

Deno.test("UNet.forward() refuses images and timesteps that don't fit", async () => {
  const gpu = await testGpu();
  const network = new UNet(TINY, SHAPE);
  const weights = createArena(gpu, "weights", network);
  const graph = new Graph(new Capture(gpu, "U-Net"), {
    parameters: parameterSlots(network, weights),
  });
  const forward = (shape: number[], timesteps: TensorRef) => () =>
    network.forward(graph, { x: graph.constant(randomTensor(gpu, shape)), level: timesteps });
  const one = upload(gpu, [1], [3], "u32");
  assertThrows(
    forward([1, 4, 4, 3], one),
    RangeError,
    "images must have shape [N, H, W, 1], got [1, 4, 4, 3]",
  );
  assertThrows(
    forward([1, 4, 5, 1], one),
    RangeError,
    "multiples of 2 for 2 levels, as in 4 x 4 or 6",
  );
  assertThrows(
    forward([2, 4, 4, 1], one),
    RangeError,
    "must have shape [2], got u32 of shape [1]",
  );
  assertThrows(forward([1, 4, 4, 1], upload(gpu, [2], [3, 4])), RangeError, "f32 of shape [2]");
});

Deno.test("UNet with classes begins with the weights of one without, and learns those of classes", async () => {
  const plain = new UNet(TINY, { channels: 1, timesteps: 10 });
  const told = new UNet({ ...TINY, classes: 3, labelDropout: 0.1 }, { channels: 1, timesteps: 10 });
  const [before, after] = [plain, told].map((network) => new Map(initialValues(network, 5)));
  assertEquals(told.conditioning, { labels: 3, labelDropout: 0.1 });
  assertEquals([...after!.keys()].filter((name) => !before!.has(name)), ["classEmbedding.table"]);
  for (const [name, values] of before!) assertEquals(after!.get(name), values);

  const gpu = await testGpu();
  const [weights, grads] = ["weights", "gradients"].map((label) => createArena(gpu, label, told));
  const values = [...after!].map(([name, { length }], i) =>
    [name, randomValues(length, i + 1, 0.3)] as const
  );
  writeArenas(gpu, [weights!], values);
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { parameters: parameterSlots(told, weights!, grads!) });
  const x = graph.constant(capture.input("x", [4, 4, 4, 1]));
  const level = capture.input("t", [4], "u32"), labels = capture.input("labels", [4], "u32");
  const y = told.forward(graph, { x, level, labels });
  graph.backward(mseLoss(y, graph.constant(capture.constant(y.shape, new Float32Array(64), "0"))));
  capture.keep(y.ref);
  const program = await capture.plan();
  const image = randomValues(16, 9);
  // The same image with three classes and none; the second class appears twice, the third never.
  program.run({ x: [0, 1, 2, 3].flatMap(() => [...image]), t: [7, 7, 7, 7], labels: [0, 1, 3, 1] });
  const out = await program.readF32(y.ref);
  const of = (n: number) => [...out.subarray(16 * n, 16 * n + 16)];
  assertAllClose(of(1), of(3), { rtol: 1e-5, atol: 1e-6 });
  for (const other of [1, 2]) assert(of(0).some((v, i) => Math.abs(v - of(other)[i]!) > 1e-3));
  const grad = await gpu.readF32(grads!.get("classEmbedding.table"));
  const width = grad.length / 4;
  const moved = [0, 1, 2, 3].map((row) =>
    grad.subarray(row * width, (row + 1) * width).some((v) => v !== 0)
  );
  assertEquals(moved, [true, true, false, true]);
  program.destroy();
  for (const arena of [weights!, grads!]) arena.destroy(gpu);
});
