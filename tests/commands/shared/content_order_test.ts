import { imageSet } from "../../../data/dataset.ts";
import { byContent } from "../../../commands/shared/content_order.ts";
import { assert, assertEquals } from "../../support/assert.ts";

/** Images of one pixel, with their values as labels and marks. */
function toy(values: readonly number[]) {
  const bytes = Uint8Array.from(values);
  const shape = { count: values.length, height: 1, width: 1, channels: 1 };
  return imageSet("toy train", { ...shape, images: bytes, labels: bytes, mirrorable: bytes });
}

Deno.test("byContent() makes one set of the same images in any order, labels with them", () => {
  const values = Array.from({ length: 50 }, (_, i) => i);
  const one = byContent(toy(values)), other = byContent(toy(values.toReversed()));
  assertEquals(one, other);
  assertEquals([...one.labels!], [...one.images]);
  assertEquals([...one.mirrorable!], [...one.images]);
  assertEquals([...one.images].sort((a, b) => a - b), values);
  assert(one.checksum !== toy(values).checksum);
});
