import type { UNetOptions } from "../../model/options.ts";
import { UNet } from "../../model/unet.ts";
import { assertAlmostEquals, assertEquals } from "../support/assert.ts";

const SMALL: UNetOptions = {
  name: "ho2020",
  channels: 32,
  channelMultipliers: [1, 2, 2],
  attentionLevels: [1],
  blocks: 1,
  dropout: 0.1,
  groups: 32,
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
  Deno.test(`UNet.multiplyAdds() is half of ${expected} GFLOP for the ${name}`, () => {
    const gigaflops = 2 * new UNet(options, RGB).multiplyAdds(side, side) / 1e9;
    assertAlmostEquals(gigaflops, expected, digit / 2);
  });
}

Deno.test("UNet.multiplyAdds() adds up a network of one level by hand", () => {
  const options = {
    ...SMALL,
    channels: 2,
    channelMultipliers: [1],
    attentionLevels: [],
    groups: 1,
  };
  const pixels = 3 * 5, time = 2 * 8 + 8 * 8, project = 8 * 2;
  const residual = (inputs: number) =>
    pixels * (9 * inputs * 2 + 9 * 2 * 2 + (inputs === 2 ? 0 : inputs * 2)) + project;
  const attention = pixels * 4 * 2 * 2 + 2 * pixels ** 2 * 2;
  const expected = time + pixels * 9 * 2 + residual(2) + residual(2) + attention + residual(2) +
    2 * residual(4) + pixels * 9 * 2;
  assertEquals(
    new UNet(options, { channels: 1, timesteps: 10 }).multiplyAdds(3, 5),
    expected,
  );
});
