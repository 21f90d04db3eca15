import { recognise } from "../../../../commands/shared/checkpoints/code_bases.ts";
import {
  exportLucidStyle,
  importLucidFlax,
} from "../../../../commands/shared/checkpoints/lucid_flax.ts";
import { type Source, sourceOf } from "../../../../commands/shared/checkpoints/source.ts";
import { parseConfig } from "../../../../config/load.ts";
import { lucidFlaxNames } from "../../../../model/networks/lucid/flax_names.ts";
import type { LucidOptions } from "../../../../model/networks/lucid/options.ts";
import { LucidUNet } from "../../../../model/networks/lucid/unet.ts";
import { namedParameters } from "../../../../model/module.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { randomValues } from "../../../support/gpu.ts";
import { msgpack, type Packed } from "../../../support/msgpack_file.ts";

const OPTIONS = (() => {
  const tree = {
    data: { name: "mnist" },
    model: {
      ...{ name: "lucid", style: "flax", channels: 8, channelMultipliers: [1, 3] },
      ...{ selfCondition: true, cosineAxis: "tokens" },
    },
  };
  return parseConfig(JSON.stringify(tree), { path: "test" }).model as LucidOptions;
})();

const network = () => new LucidUNet(OPTIONS, { height: 28, width: 28, channels: 1, timesteps: 9 });

/** A checkpoint as flax writes it: modules' names have dots, and what they hold is inside them. */
function trained(without?: string): Source {
  const tree = (seed: number) => {
    const modules: Record<string, Packed> = {};
    for (const [i, { pytorchName, shape }] of lucidFlaxNames(network()).entries()) {
      if (pytorchName === without) continue;
      const parts = pytorchName.split(/\.(?=[A-Z]|(?:kernel|bias|scale)$)|(?<=block_\d)\./);
      const leaf = parts.pop()!;
      let at = modules;
      for (const part of parts) at = (at[part] ??= {}) as Record<string, Packed>;
      const count = shape.reduce((product, n) => product * n, 1);
      at[leaf] = { shape, values: randomValues(count, 1000 * seed + i) };
    }
    return modules;
  };
  const file = msgpack({
    ...{ step: { shape: [], values: Float32Array.of(12) }, params: tree(1) },
    opt_state: { "0": { count: 3, mu: tree(2), nu: tree(3) }, "1": {} },
    ...{ params_ema: tree(4), dynamic_scale: null },
  });
  return sourceOf("checkpoint_12", file);
}

Deno.test("importLucidFlax() takes weights, averages and moments over, and exportLucidStyle() gives the same values back", async () => {
  const source = trained(), lines: string[] = [];
  const known = { known: "lucid-flax", title: "yiyixuxu/denoising-diffusion-flax" } as const;
  assertEquals(recognise(source), known);
  const taken = importLucidFlax(source, { overrides: [], say: (line) => lines.push(line) });
  assertEquals<unknown>(taken.config.model, OPTIONS);
  assertEquals([taken.step, taken.config.diffusion.schedule], [12, "linear-torch"]);
  assert(lines[0]!.includes('"params.", their average under "params_ema."'), lines.join());
  const { tensors } = exportLucidStyle(taken, "all");
  assertEquals(tensors.length, source.tensors.size);
  for (const [name, tensor] of tensors) {
    const { shape, data } = await tensor.read();
    const before = source.tensors.get(name)!.read();
    assertEquals([shape, data], [before.shape, before.data], name);
  }
});

Deno.test("lucidFlaxNames() names every parameter once", () => {
  const names = lucidFlaxNames(network()), count = [...namedParameters(network())].length;
  assertEquals(new Set(names.map(({ name }) => name)).size, count);
  assertEquals(new Set(names.map(({ pytorchName }) => pytorchName)).size, count);
  assert(names.some(({ pytorchName }) => pytorchName === "mid.attenblock_0.LayerNorm_0.scale"));
});

Deno.test("importLucidFlax() refuses a network that lacks a tensor", () => {
  assertThrows(
    () => importLucidFlax(trained("mid.resblock_0.conv_1.bias"), { overrides: [] }),
    RangeError,
    "mid.resblock_0.conv_1.bias of shape [24] must be there",
  );
});
