import { Graph } from "../../../../autograd/graph.ts";
import { mseLoss } from "../../../../autograd/ops/losses.ts";
import { toF32 } from "../../../../commands/shared/checkpoints/floats.ts";
import { budgetOf } from "../../../../commands/verify/golden.ts";
import { fromTorch, IMAGE, toTorch } from "../../../../commands/verify/layout.ts";
import { Capture } from "../../../../device/capture.ts";
import { readSafetensors } from "../../../../formats/safetensors.ts";
import { setVariantPolicy, VARIANT_FAMILIES } from "../../../../kernels/shared/variants.ts";
import { fromPytorch, toPytorch } from "../../../../model/names/pytorch.ts";
import {
  diffusersConfig,
  diffusersNames,
  fromDiffusersConfig,
} from "../../../../model/networks/ho2020/names/diffusers.ts";
import { UNet } from "../../../../model/networks/ho2020/unet.ts";
import { createNetwork } from "../../../../model/networks/registry.ts";
import { createArena, parameterSlots, writeArenas } from "../../../../model/parameters.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { testGpu } from "../../../support/gpu.ts";

/** Numbers of diffusers 0.40.0 under PyTorch; cut_unet2d.py made the files. */
const GOLDEN = new URL("../../../golden/unet2d/", import.meta.url);

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
  const [, , height = 0, width = 0] = tensors.get("x")!.shape;
  const network = createNetwork(found.options, { ...found.shape, height, width });
  assert(network instanceof UNet);
  return { facts, tensors, network, found };
}

/** The largest distance between what was computed and what was recorded. */
function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert(actual.length >= expected.length);
  return Array.from(expected).reduce((most, value, i) => {
    const error = Math.abs(actual[i]! - value);
    return error <= most ? most : error;
  }, 0);
}

Deno.test("unet2d computes what diffusers' UNet2DModel computes, and its gradients, by every kernel", async () => {
  const gpu = await testGpu();
  const { facts, tensors, network, found } = await recorded("cifar10");
  const entries = diffusersNames(network, found.flipped);
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
  const { shape, data: x } = image("x");
  const t = Uint32Array.from(tensors.get("t")!.data as BigInt64Array, Number);
  try {
    for (const forced of [undefined, ...VARIANT_FAMILIES]) {
      setVariantPolicy(gpu, forced ? { forced } : {});
      const grads = createArena(gpu, "gradients", network);
      const capture = new Capture(gpu, "UNet2D");
      const graph = new Graph(capture, { parameters: parameterSlots(network, weights, grads) });
      const input = graph.constant(capture.input("x", shape));
      const target = graph.constant(capture.input("target", shape));
      const level = capture.input("t", [shape[0]!], "u32");
      const out = network.forward(graph, { x: input, level });
      graph.backward(mseLoss(out, target));
      capture.keep(out.ref);
      const program = await capture.plan();
      program.run({ x, target: image("target").data, t });

      const expected = tensors.get("out")!;
      const actual = toTorch(await program.readF32(out.ref), expected.shape, IMAGE);
      const error = distance(actual, expected.data as Float32Array);
      assert(error <= budgetOf(...facts.out), `${forced}: out ${error}`);
      for (const entry of entries) {
        const { pytorchName, name } = entry;
        const budget = budgetOf(...facts.grads[pytorchName]!);
        const own = await gpu.readF32(grads.tensors.get(name)!);
        const gradient = tensors.get(`grad/${pytorchName}`)!.data as Float32Array;
        const wrong = distance(toPytorch(entry, own).data, gradient);
        assert(
          wrong <= (facts.zero.includes(pytorchName) ? Math.max(budget, 1e-4) : budget),
          `${forced}: gradient of ${pytorchName} ${wrong}, over ${budget}`,
        );
      }
      program.destroy();
      grads.destroy(gpu);
    }
  } finally {
    setVariantPolicy(gpu, {});
    weights.destroy(gpu);
  }
});

Deno.test("unet2d's config goes to diffusers and back, and the original's stays ho2020", async () => {
  const { facts, network, found } = await recorded("cifar10");
  assertEquals(found.options.name, "unet2d");
  const written = diffusersConfig(network, 16);
  for (const [key, value] of Object.entries(written)) {
    if (key !== "_diffusers_version") assertEquals(facts.config[key], value, key);
  }
  const no = (key: string) => {
    throw new RangeError(key);
  };
  assertEquals(fromDiffusersConfig(written, 1000, no)?.options, found.options);
  const plain = { downsample_padding: 1, freq_shift: 0, norm_eps: 1e-5 };
  assertEquals(fromDiffusersConfig({ ...written, ...plain }, 1000, no)?.options.name, "ho2020");
  const heads = { attention_head_dim: 8 };
  const many = fromDiffusersConfig({ ...written, ...plain, ...heads }, 1000, no)?.options;
  assert(many?.name === "unet2d");
  assertEquals(
    [many.headChannels, many.normEps, many.frequencyShift, many.downsamplePadding],
    [8, 1e-5, 0, "around"],
  );
  for (
    const [key, value] of [
      ["attention_head_dim", 12],
      ["attention_head_dim", 0],
      ["freq_shift", 2],
      ["downsample_padding", 2],
      ["norm_eps", 0],
      ["mid_block_type", null],
    ] as const
  ) {
    const config = { ...written, [key]: value };
    if (value === null) assert(fromDiffusersConfig(config, 1000, no));
    else assertThrows(() => fromDiffusersConfig(config, 1000, no), RangeError, key);
  }
});
