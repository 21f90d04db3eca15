import type { UNetOptions } from "../../../../model/networks/ho2020/options.ts";
import { checkImageSides, checkUNetOptions } from "../../../../model/networks/ho2020/checks.ts";
import { assertStringIncludes, assertThrows } from "../../../support/assert.ts";
import { CIFAR } from "./options.ts";

Deno.test("checkUNetOptions() takes the defaults and widths of any other groups", () => {
  checkUNetOptions(CIFAR);
  checkUNetOptions({
    ...CIFAR,
    channels: 20,
    groups: 5,
    channelMultipliers: [3],
    attentionLevels: [],
  });
});

const REFUSED: [changes: Partial<UNetOptions>, message: string][] = [
  [
    { channels: 48 },
    "channels must be an even multiple of groups, as in 32 or 64 for 32 groups, got 48",
  ],
  [{ channels: 24 }, "as in 32 for 32 groups, got 24"],
  [{ channels: 15, groups: 5 }, "as in 10 or 20 for 5 groups, got 15"],
  [{ channels: 0 }, "got 0"],
  [{ channels: NaN }, "got NaN"],
  [{ groups: 0 }, "groups must be a whole number of at least 1, got 0"],
  [{ blocks: 1.5 }, "blocks must be a whole number of at least 1, got 1.5"],
  [{ dropout: 1 }, "dropout must be at least 0 and below 1, got 1"],
  [{ channelMultipliers: [] }, "channelMultipliers must hold at least one whole number"],
  [{ channelMultipliers: [1, 0.5] }, "each at least 1, got [1,0.5]"],
  [{ attentionLevels: [4] }, "attentionLevels must hold different levels from 0 to 3, got [4]"],
  [{ attentionLevels: [1, 1] }, "got [1,1]"],
];

for (const [changes, message] of REFUSED) {
  Deno.test(`checkUNetOptions() refuses ${JSON.stringify(changes)} and says what works`, () => {
    const error = assertThrows(
      () => checkUNetOptions({ ...CIFAR, ...changes }),
      RangeError,
      message,
    );
    assertStringIncludes(error.message, "Cannot build a U-Net: ");
  });
}

Deno.test("checkImageSides() takes sides that halve evenly, square or not", () => {
  checkImageSides(32, 32, 4);
  checkImageSides(28, 20, 3);
  checkImageSides(7, 13, 1);
});

Deno.test("checkImageSides() refuses others and names the nearest", () => {
  assertThrows(
    () => checkImageSides(28, 32, 4),
    RangeError,
    "both sides must be multiples of 8 for 4 levels, as in 24 or 32 x 32;",
  );
  assertThrows(() => checkImageSides(2, 8, 3), RangeError, "as in 4 x 8;");
  assertThrows(() => checkImageSides(0, 4, 1), RangeError, "images of 0 x 4");
});
