import { createHash } from "node:crypto";
import { withoutAlpha } from "../../formats/picture.ts";
import { decodeWebp, isWebp } from "../../formats/webp.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { webpFile } from "./webp_fixtures.ts";

Deno.test("decodeWebp() gives dwebp's pixels, bit for bit, with losses and without", () => {
  const sums = {
    lossy: "960862f493bc2082f9544097830d763b660032b416158b5d4cba1e29b283742c",
    lossless: "1750482304f982975ef371ac7f4e5fb3bd5c6fdcb8ac03e069ea488f811cb120",
  };
  for (const name of ["lossy", "lossless"] as const) {
    const bytes = webpFile(name);
    assert(isWebp(bytes));
    const { width, height, channels, data } = withoutAlpha(decodeWebp(bytes));
    assertEquals([width, height, channels], [19, 13, 3]);
    assertEquals(createHash("sha256").update(data).digest("hex"), sums[name]);
  }
});

Deno.test("decodeWebp() refuses what is cut short, animated or larger than it says, and goes on", () => {
  for (const name of ["lossy", "lossless"] as const) {
    const bytes = webpFile(name);
    for (const length of [0, 15, 22, 31, 40, bytes.length - 6]) {
      assertThrows(
        () => decodeWebp(bytes.subarray(0, length)),
        SyntaxError,
        "Cannot decode WebP: ",
      );
    }
  }
  assertThrows(() => decodeWebp(webpFile("animated")), TypeError, "it is animated");
  const wide = webpFile("lossy");
  wide.set([0xff, 0x3f, 0xff, 0x3f], 26);
  assertThrows(() => decodeWebp(wide), RangeError, "got 16383x16383");
  const taller = webpFile("lossy");
  taller[28] = 200;
  assertThrows(() => decodeWebp(taller), SyntaxError, "damaged or cut short");
  assertEquals(decodeWebp(webpFile("lossless")).height, 13);
});
