import { decodePng } from "../../formats/png.ts";
import { gridPng, toBytes, visibleScale } from "../../training/pictures.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("toBytes() inverts the scaling of every byte, and clips", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(toBytes(Float32Array.from(bytes, (byte) => (byte / 255 - 0.5) / 0.5)), bytes);
  assertEquals([...toBytes(Float32Array.of(-7, 7, -1, 1))], [0, 255, 0, 255]);
});

Deno.test("visibleScale() enlarges small images and leaves large ones alone", () => {
  assertEquals(visibleScale({ height: 16, width: 16, channels: 1 }), 6);
  assertEquals(visibleScale({ height: 16, width: 32, channels: 1 }, 48), 1);
  assertEquals(visibleScale({ height: 500, width: 10, channels: 1 }), 1);
});

Deno.test("gridPng() lays images out in a square with a line between them", () => {
  const size = { height: 48, width: 48, channels: 3 };
  const picture = decodePng(gridPng(new Uint8Array(4 * 48 * 48 * 3).fill(9), 4, size));
  assertEquals([picture.width, picture.height, picture.channels], [198, 198, 3]);
  assertEquals([picture.data[0], picture.data[(2 * 198 + 2) * 3]], [0, 9]);
});
