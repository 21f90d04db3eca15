import { join } from "node:path";
import { encodePng } from "../../../formats/png.ts";
import { UsageError } from "../../../support/errors.ts";
import { toBytes } from "../../../training/pictures.ts";
import { knownBytes, readGivenImage } from "../../../tools/sampling/given_image.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { inFolder } from "../../support/runs.ts";

const SIZE = { height: 2, width: 3, channels: 3 };
const GREY = { ...SIZE, channels: 1 };
const PIXELS = Uint8Array.from({ length: 18 }, (_, i) => i * 15);
const MASK = Uint8Array.of(0, 255, 127, 128, 0, 200);

/** Writes pictures by name and gives their paths. */
async function pictures(root: string, files: Record<string, Parameters<typeof encodePng>[0]>) {
  const paths: Record<string, string> = {};
  for (const [name, picture] of Object.entries(files)) {
    paths[name] = join(root, `${name}.png`);
    await Deno.writeFile(paths[name], encodePng(picture));
  }
  return (name: string) => paths[name] ?? join(root, name);
}

Deno.test("readGivenImage() keeps what is dark in the mask, byte for byte", () =>
  inFolder(async (root) => {
    const path = await pictures(root, {
      image: { ...SIZE, data: PIXELS },
      mask: { ...GREY, data: MASK },
    });
    const given = await readGivenImage(path("image"), path("mask"), SIZE);
    const known = [1, 0, 1, 0, 1, 0].flatMap((value) => [value, value, value]);
    assertEquals([...given.known], known);
    assertEquals(toBytes(given.image as Float32Array), PIXELS);
    assertEquals([...knownBytes(given)], [...PIXELS].map((byte, i) => known[i] === 1 ? byte : 128));
  }));

Deno.test("readGivenImage() takes opaque alpha and colour masks, and grey images for grey models", () =>
  inFolder(async (root) => {
    const rgba = (data: Uint8Array, alpha: number) => ({
      ...{ ...GREY, channels: 4 },
      data: Uint8Array.from({ length: 24 }, (_, i) => i % 4 === 3 ? alpha : data[i >> 2]!),
    });
    const path = await pictures(root, {
      image: { ...GREY, data: MASK },
      mask: rgba(MASK, 255),
      clear: rgba(MASK, 254),
    });
    const given = await readGivenImage(path("image"), path("mask"), GREY);
    assertEquals([...given.known], [1, 0, 1, 0, 1, 0]);
    const clear = () => readGivenImage(path("image"), path("clear"), GREY);
    await assertRejects(clear, UsageError, "the picture must have no transparency");
  }));

Deno.test("readGivenImage() refuses what does not fit, in one line each", () =>
  inFolder(async (root) => {
    const path = await pictures(root, {
      image: { ...SIZE, data: PIXELS },
      mask: { ...GREY, data: MASK },
      turned: { height: 3, width: 2, channels: 1, data: MASK },
      black: { ...GREY, data: MASK.map((value) => Math.min(value, 100)) },
    });
    await Deno.writeTextFile(join(root, "text"), "this is no picture at all, by no measure");
    const cases: [string, string, typeof SIZE, string][] = [
      ["none", "mask", SIZE, "there is no such file"],
      ["image", "none", SIZE, "Cannot read the mask"],
      ["text", "mask", SIZE, "Cannot read the image"],
      ["image", "turned", SIZE, "the mask must be 3x2 pixels as the model's images, got 2x3"],
      ["turned", "mask", GREY, "the image must be 3x2 pixels"],
      ["mask", "mask", SIZE, "the image must be RGB as the model's, got grey"],
      ["image", "mask", GREY, "the image must be grey as the model's, got RGB"],
      ["image", "black", SIZE, "what is to be filled in must be white, nothing is"],
    ];
    for (const [image, mask, size, part] of cases) {
      await assertRejects(() => readGivenImage(path(image), path(mask), size), UsageError, part);
    }
  }));
