import { Graph } from "../../../../autograd/graph.ts";
import { mseLoss } from "../../../../autograd/ops/losses.ts";
import { toF32 } from "../../../../commands/shared/checkpoints/floats.ts";
import { budgetOf } from "../../../../commands/verify/golden.ts";
import { fromTorch, IMAGE, toTorch } from "../../../../commands/verify/layout.ts";
import { Capture } from "../../../../device/capture.ts";
import { readSafetensors } from "../../../../formats/safetensors.ts";
import {
  PORTABLE_FAMILIES,
  setVariantPolicy,
  type VariantFamily,
} from "../../../../kernels/shared/variants.ts";
import { fromPytorch, toPytorch } from "../../../../model/names/pytorch.ts";
import { fromDiffusersConfig } from "../../../../model/networks/diffusers/config.ts";
import { diffusersNames } from "../../../../model/networks/diffusers/names.ts";
import type { DiffusersOptions } from "../../../../model/networks/diffusers/options.ts";
import { DiffusersUNet } from "../../../../model/networks/diffusers/unet.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  writeArenas,
} from "../../../../model/parameters.ts";
import { assert, assertAllClose, assertThrows } from "../../../support/assert.ts";
import { restorePolicy, testGpu } from "../../../support/gpu.ts";

/** Numbers of diffusers 0.40.0 under PyTorch; cut_diffusers.py made the files. */
const GOLDEN = new URL("../../../golden/diffusers/", import.meta.url);

interface Recorded {
  readonly config: Record<string, unknown>;
  readonly out: [number, number];
  readonly grads: Record<string, [number, number]>;
  readonly zero: readonly string[];
}

async function recorded(name: string) {
  const facts: Recorded = JSON.parse(await Deno.readTextFile(new URL(`${name}.json`, GOLDEN)));
  const { tensors } = readSafetensors(
    await Deno.readFile(new URL(`${name}.safetensors`, GOLDEN)),
  );
  const refused: string[] = [];
  const found = fromDiffusersConfig(facts.config, 1000, (key) => refused.push(key));
  assert(found, `refused: ${refused}`);
  return { facts, tensors, network: new DiffusersUNet(found.options, found.shape) };
}

/** The largest distance between what was computed and what was recorded. */
function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert(actual.length >= expected.length);
  return Array.from(expected).reduce((most, value, i) => {
    const error = Math.abs(actual[i]! - value);
    return error <= most ? most : error;
  }, 0);
}

/** Runs a recorded network forward and back, and checks what it gives. */
async function replay(name: string, families: readonly (VariantFamily | undefined)[]) {
  const gpu = await testGpu();
  const { facts, tensors, network } = await recorded(name);
  const entries = diffusersNames(network);
  const values = entries.map((entry) => {
    const tensor = tensors.get(`param/${entry.pytorchName}`)!;
    return [entry.name, fromPytorch(entry, { shape: tensor.shape, data: toF32(tensor) })] as const;
  });
  const weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], values);
  const image = (name: string) => {
    const { shape, data } = tensors.get(name)!;
    return fromTorch({ shape, data: data as Float32Array<ArrayBuffer> } as never, IMAGE);
  };
  const { shape, data: x } = image("x"), target = image("target").data;
  const whole = (name: string) =>
    Uint32Array.from(tensors.get(name)!.data as BigInt64Array, Number);
  const t = tensors.get("t")!.dtype === "F32"
    ? tensors.get("t")!.data as Float32Array<ArrayBuffer>
    : whole("t");
  const labels = tensors.has("y") ? { y: whole("y") } : {};
  try {
    for (const forced of families) {
      if (forced) setVariantPolicy(gpu, { forced });
      else restorePolicy(gpu);
      const grads = createArena(gpu, "gradients", network);
      const capture = new Capture(gpu, "a UNet2DModel");
      const graph = new Graph(capture, { parameters: parameterSlots(network, weights, grads) });
      const level = capture.input("t", [shape[0]!], t instanceof Uint32Array ? "u32" : "f32");
      const out = network.forward(graph, {
        x: graph.constant(capture.input("x", shape)),
        level,
        ...labels.y ? { labels: capture.input("y", [shape[0]!], "u32") } : {},
      });
      graph.backward(mseLoss(out, graph.constant(capture.input("target", shape))));
      capture.keep(out.ref);
      const program = await capture.plan();
      program.run({ x, target, t, ...labels });

      const expected = tensors.get("out")!;
      const actual = toTorch(await program.readF32(out.ref), expected.shape, IMAGE);
      const error = distance(actual, expected.data as Float32Array);
      assert(error <= budgetOf(...facts.out), `${name}, ${forced}: out ${error}`);
      for (const entry of entries) {
        const { pytorchName, name } = entry;
        if (!facts.grads[pytorchName]) continue;
        const budget = budgetOf(...facts.grads[pytorchName]!);
        const own = await gpu.readF32(grads.tensors.get(name)!);
        const gradient = tensors.get(`grad/${pytorchName}`)!.data as Float32Array;
        const wrong = distance(toPytorch(entry, own).data, gradient);
        assert(
          wrong <= (facts.zero.includes(pytorchName) ? Math.max(budget, 1e-4) : budget),
          `${name}, ${forced}: gradient of ${pytorchName} ${wrong}, over ${budget}`,
        );
      }
      program.destroy();
      grads.destroy(gpu);
    }
  } finally {
    restorePolicy(gpu);
    weights.destroy(gpu);
  }
}

Deno.test("DiffusersUNet computes what UNet2DModel computes, and its gradients, by every kernel", () =>
  replay("cifar10", [undefined, ...PORTABLE_FAMILIES]));

Deno.test("DiffusersUNet knows Fourier features of noise levels, and divides by the level", () =>
  replay("fourier", [undefined]));

Deno.test("DiffusersUNet knows classes, and time that scales and shifts", () =>
  replay("scale-shift-class", [undefined]));

const SMALL: DiffusersOptions = {
  ...fromDiffusersConfig(
    {
      ...{ _class_name: "UNet2DModel", block_out_channels: [8, 16], norm_num_groups: 4 },
      ...{ layers_per_block: 1, attention_head_dim: 4, flip_sin_to_cos: true },
      ...{ down_block_types: ["AttnDownBlock2D", "DownBlock2D"] },
      ...{ up_block_types: ["ResnetUpsampleBlock2D", "AttnUpBlock2D"] },
    },
    50,
    () => {},
  )!.options,
};

/** What a small network predicts, its parameters begun by a seed. */
async function predicted(
  options: Partial<DiffusersOptions>,
  { level = new Uint32Array([3, 41]), scale = 1 }: {
    readonly level?: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
    readonly scale?: number;
  } = {},
): Promise<Float32Array> {
  const gpu = await testGpu();
  const network = new DiffusersUNet({ ...SMALL, ...options }, { channels: 1, timesteps: 50 });
  const weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], initialValues(network, 7));
  const capture = new Capture(gpu, "a small UNet2DModel");
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
  const x = graph.constant(capture.input("x", [2, 4, 4, 1]));
  const dtype = level instanceof Uint32Array ? "u32" : "f32";
  const out = network.forward(graph, { x, level: capture.input("t", [2], dtype) });
  capture.keep(out.ref);
  const program = await capture.plan();
  program.run({ x: Float32Array.from({ length: 32 }, (_, i) => scale * Math.sin(i)), t: level });
  const found = await program.readF32(out.ref);
  program.destroy();
  weights.destroy(gpu);
  return found;
}

Deno.test("DiffusersUNet takes timesteps between the whole ones, as sinusoids of the same angles", async () => {
  const whole = await predicted({});
  assertAllClose(await predicted({}, { level: new Float32Array([3, 41]) }), whole, { atol: 1e-5 });
  const other = await predicted({}, { level: new Float32Array([3.5, 41]) });
  assert(distance(other, whole) > 1e-4);
});

Deno.test("DiffusersUNet's choices change what it computes", async () => {
  const plain = await predicted({});
  const choices: Partial<DiffusersOptions>[] = [
    { downsampleType: "resnet" },
    { upsampleType: "resnet", upBlockTypes: ["AttnUpBlock2D", "UpBlock2D"] },
    { downBlockTypes: ["ResnetDownsampleBlock2D", "AttnDownBlock2D"] },
    { resnetTimeScaleShift: "scale_shift", attnNormNumGroups: 2 },
    { timeEmbeddingType: "learned", timeEmbeddingDim: 12 },
    { midBlockType: null },
    { addAttention: false },
    { attentionHeadDim: 3 },
    { actFn: "gelu" },
    { centerInputSample: true },
    { midBlockScaleFactor: 2 },
  ];
  for (const options of choices) {
    const found = await predicted(options);
    const what = JSON.stringify(options);
    assert(found.every(Number.isFinite), what);
    assert(distance(found, plain) > 1e-6, what);
  }
});

Deno.test("DiffusersUNet refuses images, levels and classes that it cannot take", async () => {
  const gpu = await testGpu();
  const run = (
    options: Partial<DiffusersOptions>,
    shape: readonly number[],
    dtype: "u32" | "f32" = "u32",
  ) => {
    const network = new DiffusersUNet({ ...SMALL, ...options }, { channels: 1, timesteps: 50 });
    const capture = new Capture(gpu, "refused");
    const graph = new Graph(capture, {});
    const x = graph.constant(capture.input("x", shape));
    network.forward(graph, { x, level: capture.input("t", [2], dtype) });
  };
  const cases: [Parameters<typeof run>, string][] = [
    [[{}, [2, 5, 4, 1]], "sides that are multiples of 2, got [2, 5, 4, 1]"],
    [[{}, [2, 4, 4, 3]], "must have shape [N, H, W, 1]"],
    [[{}, [3, 4, 4, 1]], "levels must have shape [3]"],
    [[{ timeEmbeddingType: "fourier" }, [2, 4, 4, 1]], "must be told noise levels, f32,"],
    [[{ timeEmbeddingType: "learned" }, [2, 4, 4, 1], "f32"], "must be told timesteps, u32,"],
    [[{ numClassEmbeds: 3 }, [2, 4, 4, 1]], "must be told a class of each image"],
  ];
  for (const [args, part] of cases) assertThrows(() => run(...args), RangeError, part);
});
