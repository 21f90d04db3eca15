import { pytorchNames } from "../../../../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { pytorchDdpmOptions } from "../../../../../model/networks/ho2020/names/pytorch_ddpm_options.ts";
import type { UNetOptions } from "../../../../../model/networks/ho2020/options.ts";
import { UNet } from "../../../../../model/networks/ho2020/unet.ts";
import { assertEquals, assertThrows } from "../../../../support/assert.ts";
import { CIFAR } from "../options.ts";

function shapes(options: UNetOptions, channels: number, timesteps: number) {
  const network = new UNet(options, { channels, timesteps });
  return new Map(pytorchNames(network).map((e) => [e.pytorchName, { shape: e.pytorchShape }]));
}

Deno.test("pytorchDdpmOptions() finds the options of any network from its shapes", () => {
  const cases: [Partial<UNetOptions>, number, number][] = [
    [{}, 3, 1000],
    [{ channels: 32, channelMultipliers: [1, 1], blocks: 1 }, 3, 1000],
    [{ channels: 32, channelMultipliers: [1, 2, 3], attentionLevels: [], blocks: 3 }, 1, 20],
    [{ channels: 64, channelMultipliers: [2], attentionLevels: [0] }, 1, 50],
    [{ channels: 32, channelMultipliers: [1, 2, 4], attentionLevels: [0, 2] }, 3, 4],
  ];
  for (const [some, channels, timesteps] of cases) {
    const options = { ...CIFAR, ...some };
    assertEquals(pytorchDdpmOptions(shapes(options, channels, timesteps)), {
      options,
      shape: { channels, timesteps },
    });
  }
});

Deno.test("pytorchDdpmOptions() refuses shapes of another network", () => {
  const whole = shapes(CIFAR, 3, 1000);
  const without = new Map(whole);
  without.delete("head.weight");
  assertThrows(() => pytorchDdpmOptions(without), RangeError, "head.weight must be there");
  const flat = new Map([...whole].filter(([name]) => !name.startsWith("downblocks")));
  assertThrows(() => pytorchDdpmOptions(flat), RangeError, "downblocks.0");
  const odd = new Map(whole).set("downblocks.3.block1.2.weight", { shape: [200, 128, 3, 3] });
  assertThrows(() => pytorchDdpmOptions(odd), RangeError, "multiple of 128");
});
