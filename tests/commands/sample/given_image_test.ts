import { join } from "node:path";
import { encodePng } from "../../../formats/png.ts";
import { UsageError } from "../../../support/errors.ts";
import { toBytes } from "../../../training/pictures.ts";
import { knownBytes, readGivenImage } from "../../../commands/sample/given_image.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

const SIZE = { height: 2, width: 3, channels: 3 };
const GREY = { ...SIZE, channels: 1 };
const PIXELS = Uint8Array.from({ length: 18 }, (_, i) => i * 15);
const MASK = Uint8Array.of(0, 255, 127, 128, 0, 200);

/** A grey JPEG of 17 x 9 pixels, the first of value 15. */
const JPEG = [
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYW",
  "ICwgIyYnKSopGR8tMC0oMCUoKSj/wAALCAAJABEBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QA",
  "tRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0",
  "NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2",
  "t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AOT8EeF9JvNOdtXkkWRtySRq",
  "xTyiM7OSAoxxyMDOeTnnrZ7PRbTRvK0HwtcXN7NNIiy3MzBIirn5zuwArfOBgc8Z56w/8K417/n00z/yJ/jTI/8AVaj/",
  "ALh/mKs+Hv8Aj7t/+uUf8kr3iv/Z",
].join("");

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

Deno.test("readGivenImage() takes JPEG, too, and rounds a mask's greys", () =>
  inFolder(async (root) => {
    const file = join(root, "image.jpg");
    await Deno.writeFile(file, Uint8Array.from(atob(JPEG), (letter) => letter.charCodeAt(0)));
    const size = { height: 9, width: 17, channels: 1 };
    const white = Uint8Array.from({ length: 153 }, (_, i) => i === 0 ? 0 : 255);
    const path = await pictures(root, { mask: { ...size, data: white } });
    const { image, known } = await readGivenImage(file, path("mask"), size);
    assertEquals([image.length, toBytes(image as Float32Array)[0]], [153, 15]);
    assertEquals(known.indexOf(1, 1), -1);
    const byItself = await readGivenImage(file, file, size);
    assertEquals(byItself.known, byItself.image.map((value) => value < 128 / 127.5 - 1 ? 1 : 0));
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
      [".", "mask", SIZE, `the image ${root}: the path must name a file, it is a folder`],
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
