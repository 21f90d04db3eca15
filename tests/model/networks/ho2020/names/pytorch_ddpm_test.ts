import { countParameters, namedParameters } from "../../../../../model/module.ts";
import {
  fromPytorch,
  fromStateDict,
  pytorchNames,
  type PytorchParameter,
  toPytorch,
  toStateDict,
} from "../../../../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { initialValues } from "../../../../../model/parameters.ts";
import { sinusoidTable } from "../../../../../model/time_embedding.ts";
import { UNet } from "../../../../../model/networks/ho2020/unet.ts";
import { assert, assertEquals, assertThrows } from "../../../../support/assert.ts";
import { CIFAR } from "../options.ts";

const SMALL = { ...CIFAR, channels: 32, channelMultipliers: [1, 2, 2], blocks: 1 };
const SHAPE = { channels: 3, timesteps: 1000 };

/** The blocks of PyTorch's network in order, as its checkpoints have them: `+` means attention. */
const BLOCKS: Record<"cifar" | "small", string> = {
  cifar: `
    downblocks: 128>128 128>128 128 128>256+ 256>256+ 256 256>256 256>256 256 256>256 256>256
    middleblocks: 256>256+ 256>256
    upblocks: 512>256 512>256 512>256 256 512>256 512>256 512>256 256
      512>256+ 512>256+ 384>256+ 256 384>128 256>128 256>128`,
  small: `
    downblocks: 32>32 32 32>64+ 64 64>64
    middleblocks: 64>64+ 64>64
    upblocks: 128>64 128>64 64 128>64+ 96>64+ 64 96>32 64>32`,
};

/** Names and shapes of a `state_dict`, spelled out from the lists above. */
function stateDict(width: number, blocks: string): [string, number[]][] {
  const lines: [string, number[]][] = [];
  const layer = (name: string, ...shape: number[]) =>
    lines.push([`${name}.weight`, shape], [`${name}.bias`, shape.slice(0, 1)]);
  lines.push(["time_embedding.timembedding.0.weight", [1000, width]]);
  layer("time_embedding.timembedding.1", 4 * width, width);
  layer("time_embedding.timembedding.3", 4 * width, 4 * width);
  layer("head", width, 3, 3, 3);
  let list = "", place = 0;
  for (const word of blocks.trim().split(/\s+/)) {
    if (word.endsWith(":")) {
      list = word.slice(0, -1);
      place = 0;
      continue;
    }
    const name = `${list}.${place++}`;
    const [from = 0, to] = word.replace("+", "").split(">").map(Number);
    if (to === undefined) {
      layer(`${name}.main`, from, from, 3, 3);
      continue;
    }
    layer(`${name}.block1.0`, from);
    layer(`${name}.block1.2`, to, from, 3, 3);
    layer(`${name}.temb_proj.1`, to, 4 * width);
    layer(`${name}.block2.0`, to);
    layer(`${name}.block2.3`, to, to, 3, 3);
    if (from !== to) layer(`${name}.shortcut`, to, from, 1, 1);
    if (!word.endsWith("+")) continue;
    layer(`${name}.attn.group_norm`, to);
    for (const part of ["proj_q", "proj_k", "proj_v", "proj"]) {
      layer(`${name}.attn.${part}`, to, to, 1, 1);
    }
  }
  layer("tail.0", width);
  layer("tail.2", 3, width, 3, 3);
  return lines;
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

for (
  const [key, options, tensors, values] of [
    ["cifar", CIFAR, 329, 35_874_307],
    ["small", SMALL, 183, 1_145_955],
  ] as const
) {
  const network = new UNet(options, SHAPE);
  const entries = pytorchNames(network);

  Deno.test(`pytorchNames() lists the ${tensors} tensors of the ${key} network in order`, () => {
    assertEquals(
      entries.map((e) => [e.pytorchName, [...e.pytorchShape]]),
      stateDict(options.channels, BLOCKS[key]),
    );
    assertEquals(entries.length, tensors);
    assertEquals(entries.reduce((sum, e) => sum + size(e.pytorchShape), 0), values);
    assertEquals(countParameters(network), values - 1000 * options.channels);
  });

  Deno.test(`pytorchNames() names every parameter of the ${key} network exactly once`, () => {
    const learned = entries.filter((e) => e.kind === "parameter");
    const own = Array.from(namedParameters(network), ([name, p]) => `${name} [${p.shape}]`);
    assertEquals(learned.map((e) => `${e.name} [${e.shape}]`).sort(), own.sort());
    assertEquals(learned.length, tensors - 1);
    for (const e of learned) assertEquals(size(e.shape), size(e.pytorchShape));
  });
}

function entry(name: string): PytorchParameter {
  const found = pytorchNames(new UNet(SMALL, SHAPE)).find((e) => e.pytorchName === name);
  assert(found?.kind === "parameter");
  return found;
}

Deno.test("fromPytorch() turns [co, ci, kh, kw] into [kh, kw, ci, co]", () => {
  const head = entry("head.weight");
  const { pytorchShape: shape } = head;
  const [co = 0, ci = 0, kh = 0, kw = 0] = shape;
  const data = Float32Array.from({ length: size(shape) }, (_, i) => i);
  const ours = fromPytorch(head, { shape, data });
  for (let o = 0; o < co; o++) {
    for (let i = 0; i < ci; i++) {
      for (let y = 0; y < kh; y++) {
        for (let x = 0; x < kw; x++) {
          assertEquals(
            ours[((y * kw + x) * ci + i) * co + o],
            data[((o * ci + i) * kh + y) * kw + x],
          );
        }
      }
    }
  }
});

Deno.test("fromPytorch() turns [out, in] into [in, out] and leaves vectors alone", () => {
  const linear = entry("time_embedding.timembedding.1.weight");
  const data = Float32Array.from({ length: 128 * 32 }, (_, i) => i);
  const ours = fromPytorch(linear, { shape: [128, 32], data });
  assertEquals(linear.shape, [32, 128]);
  for (const [i, o] of [[0, 0], [3, 5], [31, 127]] as const) {
    assertEquals(ours[i * 128 + o], data[o * 32 + i]);
  }
  const bias = data.slice(0, 128);
  assertEquals(
    fromPytorch(entry("time_embedding.timembedding.1.bias"), { shape: [128], data: bias }),
    bias,
  );
});

Deno.test("toPytorch() undoes fromPytorch() for every parameter", () => {
  for (const e of pytorchNames(new UNet(SMALL, SHAPE))) {
    if (e.kind === "constant") continue;
    const data = Float32Array.from({ length: size(e.shape) }, (_, i) => i);
    const tensor = { shape: e.pytorchShape, data };
    assertEquals(toPytorch(e, fromPytorch(e, tensor)), tensor);
  }
});

Deno.test("fromPytorch() and toPytorch() refuse another shape or size", () => {
  const head = entry("head.weight");
  assertThrows(
    () => fromPytorch(head, { shape: [32, 1, 3, 3], data: new Float32Array(288) }),
    RangeError,
    "Cannot take head.weight from PyTorch: its shape must be [32, 3, 3, 3], got [32, 1, 3, 3]",
  );
  assertThrows(
    () => fromPytorch(head, { shape: [32, 3, 3, 3], data: new Float32Array(5) }),
    RangeError,
    "with 5 values",
  );
  assertThrows(() => toPytorch(head, new Float32Array(5)), RangeError, "864 values, got 5");
});

Deno.test("toStateDict() and fromStateDict() are inverse and carry the table of sinusoids", () => {
  const network = new UNet(SMALL, SHAPE);
  const values = new Map(initialValues(network, 1));
  const tensors = toStateDict(network, values);
  assertEquals(tensors.size, 183);
  assertEquals(tensors.get("time_embedding.timembedding.0.weight"), {
    shape: [1000, 32],
    data: sinusoidTable(1000, 32),
  });
  const back = fromStateDict(network, tensors);
  assertEquals(back.size, values.size);
  for (const [name, value] of values) assertEquals(back.get(name), value, name);
});

Deno.test("fromStateDict() names a tensor that is missing or unknown", () => {
  const network = new UNet(SMALL, SHAPE);
  const values = new Map(initialValues(network, 1));
  const tensors = toStateDict(network, values);
  const some = tensors.get("tail.0.bias");
  assert(some);
  assertThrows(
    () => fromStateDict(network, new Map([...tensors, ["extra.weight", some]])),
    RangeError,
    "got extra.weight",
  );
  tensors.delete("tail.0.bias");
  assertThrows(
    () => fromStateDict(network, tensors),
    RangeError,
    "tail.0.bias of shape [32] must be there",
  );
  values.delete("tail.norm.bias");
  assertThrows(() => toStateDict(network, values), RangeError, "tail.norm.bias must be given");
});
