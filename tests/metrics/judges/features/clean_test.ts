import { cleanImages } from "../../../../metrics/judges/features/inception_features.ts";
import { assertEquals } from "../../../support/assert.ts";

Deno.test("cleanImages() are of Inception's side, such that the network sees x / 128 - 1", () => {
  const images = Uint8Array.from({ length: 2 * 4 * 3 }, (_, i) => i < 12 ? 128 : 255);
  const { images: seen, ...shape } = cleanImages({
    ...{ images, count: 2, height: 2, width: 2, channels: 3 },
  });
  assertEquals(shape, { count: 2, height: 299, width: 299, channels: 3 });
  const half = seen.length / 2;
  const inside = (values: ArrayLike<number>) => new Set(Array.from(values, (v) => 2 * v - 1));
  assertEquals([...inside(seen.subarray(0, half))], [128 / 128 - 1]);
  assertEquals([...inside(seen.subarray(half))], [255 / 128 - 1]);
});
