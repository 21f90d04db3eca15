import { dirname, join } from "node:path";
import { imageSet } from "../../../../data/dataset.ts";
import {
  fileSet,
  fileSource,
  holdsSamples,
} from "../../../../commands/shared/evaluation/image_files.ts";
import { chooseReference } from "../../../../commands/shared/evaluation/reference.ts";
import { datasetSource, type ImageSource } from "../../../../commands/shared/evaluation/source.ts";
import { decodeJpeg } from "../../../../formats/jpeg.ts";
import { writeNpz } from "../../../../formats/npy.ts";
import { encodePng } from "../../../../formats/png.ts";
import { writeZip } from "../../../../formats/zip.ts";
import { JPEG_FIXTURES, jpegBytes } from "../../../formats/jpeg_fixtures.ts";
import { writeTar } from "../../../formats/tar_writer.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";

const quiet = () => {};

/** A PNG of one value. */
function flat(value: number, side = 4): Uint8Array {
  const data = new Uint8Array(side * side).fill(value);
  return encodePng({ width: side, height: side, channels: 1, data });
}

/** Writes small PNGs of one value each. */
async function writeFlat(folder: string, files: Readonly<Record<string, number>>, side = 4) {
  for (const [name, value] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
    await Deno.writeFile(join(folder, name), flat(value, side));
  }
}

/** Values of all images of a source of flat ones, in its order. */
async function valuesOf(images: ImageSource): Promise<number[]> {
  const { images: bytes } = await images.read(0, images.count);
  const length = bytes.length / images.count;
  return Array.from({ length: images.count }, (_, i) => bytes[i * length]!);
}

Deno.test("fileSource() has one order for the same images, whatever they are called", async () => {
  await inFolder(async (folder) => {
    const values = Array.from({ length: 40 }, (_, i) => i);
    const named = (name: (i: number) => string) =>
      Object.fromEntries(values.map((value) => [name(value), value]));
    await writeFlat(join(folder, "up"), named((i) => `${100 + i}.png`));
    await writeFlat(join(folder, "down"), named((i) => `${200 - i}.PNG`));
    const up = await fileSource(join(folder, "up"), quiet);
    const down = await fileSource(join(folder, "down"), quiet);
    const order = await valuesOf(up);
    assertEquals(await valuesOf(down), order);
    assertEquals(down.fingerprint, up.fingerprint);
    assertEquals(order.toSorted((a, b) => a - b), values);
    // A part is a sample: neither the first nor the last of any other order.
    const half = order.slice(0, 20).filter((value) => value < 20).length;
    assert(half > 4 && half < 16, `${order}`);
    const set = (list: readonly number[]) =>
      datasetSource(imageSet("toy train", {
        ...{ images: Uint8Array.from(list), labels: null, count: list.length },
        ...{ height: 1, width: 1, channels: 1 },
      }));
    const forward = await valuesOf(set(values));
    assertEquals(await valuesOf(set(values.toReversed())), forward);
    const [first] = forward;
    assertEquals((await set(values).read(0, 1)).images[0], first);
  });
});

Deno.test("fileSource() refuses an image of another size at once, and passes over strays", async () => {
  await inFolder(async (folder) => {
    await writeFlat(folder, { "b.png": 2, "a.png": 1 });
    await Deno.writeTextFile(join(folder, "notes.txt"), "not an image");
    await Deno.writeTextFile(join(folder, "._a.png"), "a note of macOS");
    await Deno.mkdir(join(folder, "c.png"));
    await Deno.symlink(join(folder, "a.png"), join(folder, "link.png"));
    const images = await fileSource(folder, quiet);
    assertEquals([images.count, images.height, images.channels], [3, 4, 1]);
    assertEquals((await valuesOf(images)).sort(), [1, 1, 2]);
    await writeFlat(folder, { "d.PNG": 3 }, 5);
    await assertRejects(
      () => fileSource(folder, quiet),
      RangeError,
      "d.PNG: images must be 4x4x1 as a.png, got 5x5x1",
    );
    await assertRejects(
      () => fileSource(join(folder, "none"), quiet),
      Error,
      "must be a folder of images",
    );
  });
});

Deno.test("fileSource() gives the same images in one order: flat, in sub-folders, zipped, in tars, .npz", async () => {
  await inFolder(async (folder) => {
    const values = Array.from({ length: 24 }, (_, i) => i);
    const deep = values.map((value) =>
      [`${"abc"[value % 3]}/x${value % 2}/${value}.png`, value] as const
    );
    await writeFlat(join(folder, "flat"), Object.fromEntries(values.map((i) => [`${i}.png`, i])));
    await writeFlat(join(folder, "deep"), Object.fromEntries(deep));
    const files = deep.map(([name, value]) => ({ name, bytes: flat(value) }));
    const zip = writeZip(
      files.map(({ name, bytes }) => [name.replaceAll("/", "\\"), bytes] as const),
    );
    await Deno.writeFile(join(folder, "a.zip"), zip);
    await Deno.writeFile(join(folder, "a.tar"), writeTar(files));
    await Deno.mkdir(join(folder, "zips"));
    await Deno.writeFile(join(folder, "zips", "one.zip"), zip);
    const data = Uint8Array.from({ length: 24 * 16 }, (_, i) => i >> 4);
    const labels = { dtype: "I64", shape: [24], data: new BigInt64Array(24) } as const;
    const npz = writeNpz([["arr_0", { dtype: "U8", shape: [24, 4, 4, 1], data }], [
      "arr_1",
      labels,
    ]]);
    await Deno.writeFile(join(folder, "a.npz"), npz);
    const want = await valuesOf(await fileSource(join(folder, "flat"), quiet));
    assertEquals(want.toSorted((a, b) => a - b), values);
    for (const place of ["deep", "a.zip", "a.tar", "zips", "a.npz"]) {
      const source = await fileSource(join(folder, place), quiet);
      assertEquals([source.height, source.width, source.channels], [4, 4, 1], place);
      assertEquals(await valuesOf(source), want, place);
      assertEquals((await source.read(5, 2)).images[16], want[6], place);
      assertEquals((await fileSet(join(folder, place), quiet)).count, 24);
    }
  });
});

Deno.test("fileSource() reads JPEGs as the decoder does, and RGB samples of guided-diffusion", async () => {
  await inFolder(async (folder) => {
    const photo = jpegBytes(JPEG_FIXTURES[0]!), { data } = decodeJpeg(photo);
    await Deno.mkdir(join(folder, "set/cat"), { recursive: true });
    await Deno.writeFile(join(folder, "set/cat/a.JPG"), photo);
    const path = join(folder, "samples_1x32x32x3.npz");
    await Deno.writeFile(
      path,
      writeNpz([["arr_0", { dtype: "U8", shape: [1, 32, 32, 3], data: Uint8Array.from(data) }]]),
    );
    for (const place of [join(folder, "set"), path]) {
      assertEquals((await (await fileSource(place, quiet)).read(0, 1)).images, data);
    }
  });
});

Deno.test("fileSource() says what it passes over, and names what it cannot judge", async () => {
  await inFolder(async (folder) => {
    const lines: string[] = [];
    await writeFlat(join(folder, "set"), { "a/0.png": 0, "b/1.png": 1 });
    await Deno.writeTextFile(join(folder, "set/a/notes.txt"), "no image");
    await Deno.symlink("gone", join(folder, "set/link"));
    await fileSource(join(folder, "set"), (line) => lines.push(line));
    assertStringIncludes(lines.join(), "1 link leading nowhere, as link");
    assertStringIncludes(lines.join(), "Passed over: 1 other file");
    const refused = async (name: string, bytes: Uint8Array, part: string) => {
      await Deno.writeFile(join(folder, name), bytes);
      await assertRejects(() => fileSource(join(folder, name), quiet), Error, part);
    };
    const array = (name: string, dtype: "U8" | "F32", shape: number[]) => {
      const count = shape.reduce((product, n) => product * n, 1);
      const data = dtype === "U8" ? new Uint8Array(count) : new Float32Array(count);
      return writeNpz([[name, { dtype, shape, data }]]);
    };
    await refused("names.npz", array("images", "U8", [2, 4, 4, 3]), "an array arr_0, got images");
    await refused("first.npz", array("arr_0", "U8", [2, 3, 4, 4]), "got U8 [2,3,4,4]");
    await refused("float.npz", array("arr_0", "F32", [2, 4, 4, 3]), "got F32 [2,4,4,3]");
    await refused("none.zip", writeZip([["a.txt", flat(0)]]), "must hold PNGs or JPEGs");
    await refused("cut.zip", writeZip([["a.png", flat(0).subarray(0, 40)]]), "cut.zip: a.png");
    await refused("one.tar.xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), "unxz -k ");
    await refused(
      "sizes.zip",
      writeZip([["a.png", flat(0)], ["b.png", flat(0, 5)]]),
      "as a.png, got",
    );
  });
});

Deno.test("chooseReference() takes images of a folder, an archive or arr_0 for a reference", async () => {
  await inFolder(async (folder) => {
    await writeFlat(join(folder, "set"), { "a/0.png": 7, "b/1.png": 9 });
    await Deno.writeFile(join(folder, "a.zip"), writeZip([["0.png", flat(7)], ["1.png", flat(9)]]));
    const data = Uint8Array.from({ length: 32 }, (_, i) => i < 16 ? 7 : 9);
    const npz = writeNpz([
      ["arr_0", { dtype: "U8", shape: [2, 4, 4], data }],
      ["mu", { dtype: "F64", shape: [2], data: new Float64Array(2) }],
    ]);
    await Deno.writeFile(join(folder, "a.npz"), npz);
    await Deno.writeFile(join(folder, "statistics.npz"), writeNpz([]));
    assert(await holdsSamples(join(folder, "a.npz")));
    assert(!await holdsSamples(join(folder, "statistics.npz")));
    const subject = { source: await fileSource(join(folder, "set"), quiet), data: null };
    const take = (name: string, overrides: [string, string][] = []) =>
      chooseReference(subject, { reference: join(folder, name) }, overrides, quiet);
    for (const name of ["set", "a.zip", "a.npz"]) {
      const { images, statistics } = await take(name);
      assertEquals([images?.count, statistics], [2, null]);
      assertEquals([images!.images[0], images!.images[16]].sort(), [7, 9]);
    }
    await assertRejects(() => take("set", [["data.size", "8"]]), Error, "taken as they are");
    await writeFlat(join(folder, "big"), { "0.png": 1 }, 5);
    await assertRejects(() => take("big"), Error, "must have one shape");
  });
});
