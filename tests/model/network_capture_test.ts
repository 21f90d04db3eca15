import type { Graph } from "../../autograd/graph.ts";
import type { NetworkInputs } from "../../autograd/network_inputs.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { PORTABLE_FAMILIES, setVariantPolicy } from "../../kernels/shared/variants.ts";
import { Linear } from "../../model/layers.ts";
import { Module } from "../../model/module.ts";
import { captureNetwork, forwardWork } from "../../model/network_capture.ts";
import type { UNetOptions } from "../../model/networks/ho2020/options.ts";
import { UNet } from "../../model/networks/ho2020/unet.ts";
import { assertAlmostEquals, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

const SMALL: UNetOptions = {
  name: "ho2020",
  channels: 32,
  channelMultipliers: [1, 2, 2],
  attentionLevels: [1],
  blocks: 1,
  dropout: 0.1,
  groups: 32,
  classes: 0,
  labelDropout: 0,
};
const CIFAR: UNetOptions = { ...SMALL, channels: 128, channelMultipliers: [1, 2, 2, 2], blocks: 2 };
const RGB = { channels: 3, timesteps: 1000 };

// Counted in PyTorch on the original networks: 10^9 operations of forward, to the last digit given.
for (
  const [name, options, side, expected, digit] of [
    ["small network at 32 pixels", SMALL, 32, 0.566, 0.001],
    ["small network at 28 pixels", SMALL, 28, 0.424, 0.001],
    ["CIFAR-10 network", CIFAR, 32, 12.44, 0.01],
  ] as const
) {
  Deno.test(`forwardWork() is half of ${expected} GFLOP for the ${name}`, () => {
    const image = { height: side, width: side, channels: 3 };
    const gigaflops = 2 * forwardWork(new UNet(options, RGB), image).multiplyAdds / 1e9;
    assertAlmostEquals(gigaflops, expected, digit / 2);
  });
}

/** A network of one level, small enough to add up by hand, and its multiply-adds. */
function oneLevel() {
  const options = {
    ...SMALL,
    channels: 2,
    channelMultipliers: [1],
    attentionLevels: [],
    groups: 1,
  };
  const pixels = 3 * 5, time = 2 * 8 + 8 * 8, project = 8 * 2, head = pixels * 9 * 2;
  const residual = (inputs: number) =>
    pixels * (9 * inputs * 2 + 9 * 2 * 2 + (inputs === 2 ? 0 : inputs * 2)) + project;
  const attention = pixels * 4 * 2 * 2 + 2 * pixels ** 2 * 2;
  const forward = time + head + residual(2) + residual(2) + attention + residual(2) +
    2 * residual(4) + head;
  const network = new UNet(options, { channels: 1, timesteps: 10 });
  return { network, forward, head, timeFirst: 2 * 8 };
}

Deno.test("forwardWork() adds up a network of one level by hand", () => {
  const { network, forward } = oneLevel();
  assertEquals(forwardWork(network, { height: 3, width: 5, channels: 1 }).multiplyAdds, forward);
});

for (const forced of PORTABLE_FAMILIES) {
  Deno.test(`captureNetwork() counts twice the forward pass backward, less what images and timesteps have no need of, ${forced} kernels`, async () => {
    const gpu = planningGpu(await testGpu());
    setVariantPolicy(gpu, { forced });
    const { network, forward, head, timeFirst } = oneLevel();
    const image = { height: 3, width: 5, channels: 1 };
    const { work } = captureNetwork(gpu, network, 4, image, true);
    // Streamed attention, which only tiles have, makes the scores and their gradient again.
    const again = forced === "tiled" ? 3 * (3 * 5) ** 2 * 2 : 0;
    assertEquals(work.multiplyAdds, 4 * (3 * forward - head - timeFirst + again));
  });
}

Deno.test("captureNetwork() counts every byte that a linear layer reads and writes", () => {
  class OneLayer extends Module {
    readonly layer = new Linear(6, 2);
    forward(_: Graph, { x }: NetworkInputs) {
      return this.layer.forward(x);
    }
  }
  const image = { height: 1, width: 5, channels: 6 };
  const { work } = captureNetwork(planningGpu(null), new OneLayer(), 1, image, false);
  assertEquals(work, { multiplyAdds: 5 * 6 * 2, bytes: 4 * (5 * 6 + 6 * 2 + 2 + 5 * 2) });
});
