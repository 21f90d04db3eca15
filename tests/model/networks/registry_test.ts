import { parseConfig } from "../../../config/load.ts";
import { namedParameters } from "../../../model/module.ts";
import type { NetworkKind } from "../../../model/network.ts";
import { createNetwork, networkMisfit, NETWORKS } from "../../../model/networks/registry.ts";
import { UNet } from "../../../model/networks/ho2020/unet.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { CIFAR } from "./ho2020/options.ts";

const SHAPE = { height: 16, width: 16, channels: 3, timesteps: 10 };

Deno.test("createNetwork() builds the network of a name with its options", () => {
  const network = createNetwork({ ...CIFAR, channels: 64 }, SHAPE);
  assert(network instanceof UNet);
  assertEquals(network.options.channels, 64);
});

Deno.test("createNetwork() refuses options that break a rule, and images that don't fit", () => {
  assertThrows(
    () => createNetwork({ ...CIFAR, channels: 5 }, SHAPE),
    RangeError,
    "Cannot build a U-Net: channels must be an even multiple of groups",
  );
  assertThrows(
    () => createNetwork(CIFAR, { ...SHAPE, height: 20 }),
    RangeError,
    "Cannot make the network ho2020: the images' size must be multiples of 8, got 20 x 16; " +
      "the network halves the height 3 times; the nearest that work are 16 or 24, or fewer channelMultipliers",
  );
});

Deno.test("networkMisfit() names keys as a config does", () => {
  assertEquals(networkMisfit(CIFAR, SHAPE), null);
  const misfit = networkMisfit(CIFAR, { ...SHAPE, width: 12 }, (key) => `model.${key}`);
  assertEquals(misfit, {
    key: "size",
    rule: "be multiples of 8",
    hint: "the network halves the width 3 times; the nearest that work are 8 or 16, or fewer " +
      "model.channelMultipliers",
  });
});

// Of any kind, so that a new network is held to it.
const KINDS = NETWORKS as unknown as Readonly<Record<string, NetworkKind<unknown>>>;

for (const [name, { create, names = {} }] of Object.entries(KINDS)) {
  for (const [codeBase, entriesOf] of Object.entries(names)) {
    Deno.test(`NETWORKS.${name} has a name of ${codeBase} for every parameter, and two for none`, () => {
      // A chain must be trained as one, and its networks by default are many.
      const style = codeBase === "denoising-diffusion-flax" ? { style: "flax" } : {};
      const tree = name !== "unrolled" ? { model: { name, ...style } } : {
        model: { name, stages: 3 },
        diffusion: { objective: "unrolled", sampler: { name: "ddim", steps: 2 } },
        train: { sampleEvery: 0 },
      };
      const { model } = parseConfig(JSON.stringify(tree), { path: "test" });
      const network = create(model, { ...SHAPE, height: 32, width: 32 });
      const entries = entriesOf(network).filter((entry) => entry.kind === "parameter");
      const ours = [...namedParameters(network)].map(([own]) => own).sort();
      assertEquals(entries.map((entry) => entry.name).sort(), ours);
      assertEquals(new Set(entries.map((entry) => entry.pytorchName)).size, ours.length);
    });
  }
}
