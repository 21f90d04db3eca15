import { join } from "node:path";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import {
  type ImageFolderOptions,
  loadImageFolder,
  storeImageFolder,
} from "../../../data/sets/image_folder.ts";
import { imageSet, pickLabels, type Split } from "../../../data/dataset.ts";
import { loadRows, streamedSet } from "../../../data/fetching/stored_images.ts";
import { MissingPlaceError } from "../../../data/fetching/locate_files.ts";
import { decodeJpeg } from "../../../formats/jpeg.ts";
import { encodePng } from "../../../formats/png.ts";
import { writeTar } from "../../formats/tar_writer.ts";
import { writeZip } from "../../../formats/zip.ts";
import { JPEG_FIXTURES, jpegBytes } from "../../formats/jpeg_fixtures.ts";
import { alone, gzip } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const OPTIONS: ImageFolderOptions = {
  size: 4,
  channels: 3,
  crop: true,
  resize: "area",
  skipBroken: false,
};

const PHOTO = jpegBytes(JPEG_FIXTURES[0]!);

/** A picture of one colour. */
function flat(value: number, width = 6, height = 4): Uint8Array {
  const data = new Uint8Array(width * height * 3).fill(value);
  return encodePng({ width, height, channels: 3, data });
}

/** Image i has the value 10 * i; two classes and two splits. */
const FILES: Readonly<Record<string, Uint8Array>> = {
  "train/cat/0.png": flat(0),
  "train/cat/1.PNG": flat(10),
  "train/dog/2.png": flat(20),
  "test/dog/3.png": flat(30),
};

async function write(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.mkdir(join(folder, name, ".."), { recursive: true });
    await Deno.writeFile(join(folder, name), bytes);
  }
}

/** Loads with a cache beside the folder, and keeps what is said. */
function loader(cache: string) {
  const lines: string[] = [];
  const load = (
    dir: string | null,
    split: Split = "train",
    options: Partial<ImageFolderOptions> = {},
  ) => {
    lines.length = 0;
    const all = { ...OPTIONS, ...options };
    return loadImageFolder(dir, split, all, (line) => lines.push(line), alone(cache));
  };
  return { load, lines };
}

/** First values and class names of a set of flat images, sorted. */
async function seen(set: ReturnType<ReturnType<typeof loader>["load"]>): Promise<string[]> {
  const { images, count, labels, classNames } = await set;
  assertEquals(images.length, count * 48);
  return Array.from({ length: count }, (_, i) => {
    const image = images.subarray(48 * i, 48 * (i + 1));
    assert(image.every((value) => value === image[0]));
    return `${image[0]} ${labels ? classNames![labels[i]!] : "-"}`;
  }).sort();
}

Deno.test("storeImageFolder() writes what loadImageFolder() holds, of an archive and without broken files", () =>
  inFolder(async (folder) => {
    const set = join(folder, "set.tar"), lines: string[] = [];
    const files = Array.from({ length: 260 }, (_, i) => ({
      name: `class${String(i).padStart(3, "0")}/a.png`,
      bytes: i === 77 ? flat(1).subarray(0, 40) : flat(i % 256),
    }));
    await Deno.writeFile(set, await writeTar(files));
    const options = { ...OPTIONS, skipBroken: true };
    const say = (line: string) => void lines.push(line);
    const held = imageSet(
      "a",
      await loadImageFolder(set, "train", options, say, alone(`${folder}/1`)),
    );
    assert(held.labels instanceof Uint16Array && Math.max(...held.labels) > 255);
    // Once as it is written, once of the file in memory's way: both read either.
    for (const cache of ["2", "1"]) {
      const at = alone(join(folder, cache));
      const stored = await storeImageFolder(set, "train", options, say, at);
      assertEquals(stored.checksum, held.checksum);
      assertEquals([stored.remark, stored.classNames], [held.remark, held.classNames]);
      const rows = Uint32Array.of(200, 3, 3);
      const { images, labels } = await loadRows("b", stored, rows);
      assertEquals(
        images,
        Uint8Array.from([...rows].flatMap((row) => [
          ...held.images.subarray(48 * row, 48 * (row + 1)),
        ])),
      );
      assertEquals(labels, pickLabels(held.labels, rows));
      assertEquals((await loadImageFolder(set, "train", options, say, at)).images, held.images);
      const some = await streamedSet("c", stored, rows);
      assertEquals(some.checksum, (await loadRows("c", stored, rows)).checksum);
      assertThrows(() => some.images, RangeError, "data.stream=false");
    }
    const broken = storeImageFolder(set, "train", OPTIONS, say, alone(`${folder}/3`));
    await assertRejects(() => broken, Error, "class077/a.png");
    assertEquals([...Deno.readDirSync(join(folder, "3", "decoded"))].map(({ name }) => name), []);
  }));

Deno.test("loadImageFolder() reads class folders in splits: folder, tar, tar.gz and zip alike", async () => {
  await inFolder(async (folder) => {
    await write(join(folder, "set"), FILES);
    const wrapped = Object.entries(FILES).map(([name, bytes]) => ({ name: `set/${name}`, bytes }));
    const tar = writeTar(wrapped);
    await Deno.writeFile(join(folder, "a.tar"), tar);
    await Deno.writeFile(join(folder, "a.tar.gz"), await gzip(tar));
    const zip = writeZip(wrapped.map(({ name, bytes }) => [name, bytes] as const));
    await Deno.writeFile(join(folder, "a.zip"), zip);
    const { load } = loader(folder);
    for (const place of ["set", "a.tar", "a.tar.gz", "a.zip"]) {
      // Once decoded, once kept.
      for (let time = 0; time < 2; time++) {
        assertEquals(await seen(load(join(folder, place))), ["0 cat", "10 cat", "20 dog"], place);
        assertEquals(await seen(load(join(folder, place), "test")), ["30 dog"], place);
      }
    }
  });
});

Deno.test("loadImageFolder() takes archives in a folder for folders of their names", async () => {
  await inFolder(async (folder) => {
    const part = (split: string) =>
      Object.entries(FILES).filter(([name]) => name.startsWith(split))
        .map(([name, bytes]) => [name, bytes] as const);
    await write(join(folder, "set"), {
      "train.zip": writeZip(part("train/")),
      "test.tar.gz": await gzip(
        writeTar(part("test/").map(([name, bytes]) => ({ name: `./${name}`, bytes }))),
      ),
      "labels.csv": new Uint8Array(3),
    });
    const { load, lines } = loader(folder);
    const place = join(folder, "set");
    assertEquals(await seen(load(place)), ["0 cat", "10 cat", "20 dog"]);
    assertStringIncludes(lines.join("; "), "1 .csv file");
    assertEquals(await seen(load(place, "test")), ["30 dog"]);
    await write(place, { "train.zip": writeZip([["train/cat/0.png", new Uint8Array(9)]]) });
    await assertRejects(() => load(place), Error, `${join(place, "train.zip")}: train/cat/0.png`);
  });
});

Deno.test("loadImageFolder() takes no thumbnail or note of a system for an image", async () => {
  await inFolder(async (folder) => {
    const left = ["@eaDir/0.png/SYNOPHOTO_THUMB_M.png", "__MACOSX/train/cat/._0.png"];
    left.push("train/cat/._0.png", "train/.thumbnails/1.png", "#recycle/2.png", "Thumbs.db");
    const strays = Object.fromEntries(left.map((name) => [name, new Uint8Array(4)]));
    await write(join(folder, "set"), { ...FILES, ...strays });
    const { load, lines } = loader(folder);
    assertEquals(await seen(load(join(folder, "set"))), ["0 cat", "10 cat", "20 dog"]);
    assertStringIncludes(lines[0]!, "5 hidden files, 1 .db file");
  });
});

Deno.test("loadImageFolder() names a file whose name is not UTF-8 or leads nowhere, and passes over it if it may", async () => {
  await inFolder(async (folder) => {
    await write(join(folder, "set"), FILES);
    const script =
      `cp '${folder}/set/train/cat/0.png' "$(printf '${folder}/set/train/cat/x\\351.png')"`;
    await new Deno.Command("sh", { args: ["-c", script] }).output();
    const { load, lines } = loader(folder);
    await assertRejects(() => load(join(folder, "set")), Error, "its name must be UTF-8");
    assertEquals(await seen(load(join(folder, "set"), "train", { skipBroken: true })), [
      ...["0 cat", "10 cat", "20 dog"],
    ]);
    assertStringIncludes(lines.join("; "), "Passed over 1 of 4 images that cannot be used");
    await Deno.symlink("nowhere.png", join(folder, "set/train/dog/link.png"));
    await load(join(folder, "set"), "train", { skipBroken: true });
    assertStringIncludes(lines.join("; "), "Passed over 2 of 5 images that cannot be used");
  });
});

Deno.test("loadImageFolder() says at each loading what it leaves aside", async () => {
  await inFolder(async (folder) => {
    await write(join(folder, "set"), { ...FILES, "unlabeled/5.png": flat(50) });
    const { load, lines } = loader(folder);
    for (let time = 0; time < 2; time++) {
      await load(join(folder, "set"));
      assertStringIncludes(lines.join("\n"), "Left aside: 1 image in the folder unlabeled");
    }
  });
});

Deno.test("loadImageFolder() reads JPEGs beside PNGs, whatever their endings say", async () => {
  await inFolder(async (folder) => {
    await write(join(folder, "set"), {
      "train/a.jpg": PHOTO,
      "train/b.jpeg": flat(7, 32, 32),
      "test/c.png": PHOTO,
    });
    const { load } = loader(folder);
    const test = await load(join(folder, "set"), "test", { size: 32 });
    assertEquals(test.images, decodeJpeg(PHOTO).data);
    const train = await load(join(folder, "set"), "train", { size: 32 });
    assertEquals([train.count, train.labels], [2, null]);
  });
});

Deno.test("loadImageFolder() decodes once, and anew when a file changes, comes or goes", async () => {
  await inFolder(async (folder) => {
    const set = join(folder, "set");
    await write(set, FILES);
    const { load, lines } = loader(folder);
    await load(set);
    assertEquals(lines.filter((line) => line.startsWith("Decoding 3 train images")).length, 1);
    await load(set);
    assertEquals(lines, []);
    await write(set, { "train/dog/4.png": flat(40) });
    assertEquals(await seen(load(set)), ["0 cat", "10 cat", "20 dog", "40 dog"]);
    assertStringIncludes(lines[0]!, "its source has changed");
    await Deno.remove(join(set, "train/cat/1.PNG"));
    assertEquals(await seen(load(set)), ["0 cat", "20 dog", "40 dog"]);
    await write(set, { "train/cat/0.png": flat(5) });
    await Deno.utime(join(set, "train/cat/0.png"), 1e9, 1e9);
    assertEquals(await seen(load(set)), ["20 dog", "40 dog", "5 cat"]);
    // Another size is another set.
    await load(set, "train", { size: 2 });
    await load(set);
    assertEquals(lines, []);
  });
});

Deno.test("loadImageFolder() counts and names what is no image, hidden files as well", async () => {
  await inFolder(async (folder) => {
    const set = join(folder, "set");
    await write(set, {
      ...FILES,
      "README.txt": new Uint8Array(1),
      "train/notes.txt": new Uint8Array(1),
      "train/cat/._1.png": new Uint8Array(3),
      "train/cat/Thumbs.db": new Uint8Array(3),
      "checksums": new Uint8Array(3),
    });
    const { load, lines } = loader(folder);
    assertEquals((await seen(load(set))).length, 3);
    assert(lines[0]!.startsWith(`Passed over in ${set}: 2 .txt files, `), lines[0]);
    for (const part of ["1 hidden file", "1 .db file", "1 other file"]) {
      assertStringIncludes(lines[0]!, part);
    }
  });
});

Deno.test("loadImageFolder() says of other pictures and of archives how to train on them", async () => {
  await inFolder(async (folder) => {
    const set = join(folder, "set");
    await write(set, {
      ...FILES,
      "train/cat/new.avif": new Uint8Array(3),
      "train/dog/IMG 1.HEIC": new Uint8Array(3),
      "train/dog/more.tar.gz": new Uint8Array(3),
      "train/dog/table.csv.gz": new Uint8Array(3),
      "@eaDir/more.zip": new Uint8Array(3),
    });
    const { load, lines } = loader(folder);
    assertEquals((await seen(load(set))).length, 3);
    assertEquals(lines.filter((line) => line.startsWith("note:")), [
      "note: only PNG, JPEG and WebP are read; convert 1 .avif file, 1 .heic file to train on them too",
      "note: archives among images are not opened; unpack 1 .gz file to train on them too",
    ]);
  });
});

Deno.test("loadImageFolder() names a broken image and why, and passes over it if it may", async () => {
  await inFolder(async (folder) => {
    const set = join(folder, "set");
    const cut = PHOTO.subarray(0, PHOTO.length - 200);
    await write(set, {
      ...FILES,
      "train/dog/cut.jpg": cut,
      "train/cat/empty.png": new Uint8Array(0),
    });
    const { load, lines } = loader(folder);
    const error = await assertRejects(() => load(set), Error, "Cannot use the image ");
    assertMatch(error.message, /(cut\.jpg: the image data must go on|empty\.png: it must begin)/);
    assertStringIncludes(error.message, "data.skipBroken=true");
    assert(!error.message.includes("\n"));
    const skipped = load(set, "train", { skipBroken: true });
    assertEquals(await seen(skipped), ["0 cat", "10 cat", "20 dog"]);
    const told = (line: string) =>
      /^Passed over 2 of 5 images that cannot be used: 1 as .*; 1 as /.test(line);
    assert(lines.some(told));
    // Also by a run that finds them decoded.
    lines.length = 0;
    await load(set, "train", { skipBroken: true });
    assertEquals(lines.map(told), [true]);
    // Nothing of the broken set was kept.
    await assertRejects(() => load(set), Error, "Cannot use the image ");
    await write(join(folder, "all"), { "a.jpg": cut, "b.jpg": cut, "c.jpg": cut });
    const none = () => load(join(folder, "all"), "train", { skipBroken: true });
    await assertRejects(none, Error, "one at least must be whole, all of 2 are broken");
  });
});

Deno.test("loadImageFolder() names an image that the way of resizing cannot bring to the size", async () => {
  await inFolder(async (folder) => {
    await write(join(folder, "set"), FILES);
    const { load } = loader(folder);
    const big = (resize: "area" | "bicubic") =>
      load(join(folder, "set"), "train", { size: 16, resize });
    await assertRejects(() => big("area"), Error, ".png: they must be at least 16x16");
    assertEquals((await big("bicubic")).images.length, 3 * 16 * 16 * 3);
  });
});

Deno.test("loadImageFolder() says in one line what is wrong with a place, and what to do", async () => {
  await inFolder(async (folder) => {
    const { load } = loader(folder);
    const refused = async (dir: string | null, ...parts: string[]) => {
      const error = await assertRejects(() => load(dir), Error);
      for (const part of parts) assertStringIncludes(error.message, part);
      assert(/^Cannot [^\n]+$/.test(error.message), error.message);
    };
    await refused(null, "data.dir must name their folder or archive");
    await refused(join(folder, "gone"), "that exists", "check the path");
    await assertRejects(() => load(join(folder, "gone")), MissingPlaceError);
    await Deno.mkdir(join(folder, "empty"));
    await refused(join(folder, "empty"), "it must hold PNG, JPEG or WebP files, got no files");
    await write(join(folder, "text"), { "a.txt": new Uint8Array(1), "b.gif": new Uint8Array(1) });
    await refused(join(folder, "text"), "got only 1 .txt file, 1 .gif file");
    await Deno.writeFile(join(folder, "one.png"), flat(1));
    await refused(
      join(folder, "one.png"),
      "folder or a tar, tar.gz or zip",
      "another kind of file",
    );
    await refused(join(folder, "one.png", "below"), "that exists");
    await Deno.writeFile(join(folder, "nothing"), new Uint8Array(0));
    await refused(join(folder, "nothing"), "another kind of file");
    const tar = writeTar(Object.entries(FILES).map(([name, bytes]) => ({ name, bytes })));
    await Deno.writeFile(join(folder, "cut.tar"), tar.subarray(0, 1400));
    await refused(join(folder, "cut.tar"), join(folder, "cut.tar"), "cut off");
    const packed = await gzip(tar);
    await Deno.writeFile(join(folder, "cut.tgz"), packed.subarray(0, packed.length - 40));
    await refused(join(folder, "cut.tgz"), join(folder, "cut.tgz"), "cut off");
    const zip = writeZip(Object.entries(FILES));
    await Deno.writeFile(join(folder, "cut.zip"), zip.subarray(0, zip.length - 40));
    await refused(join(folder, "cut.zip"), join(folder, "cut.zip"));
    await write(join(folder, "few"), { "a.png": flat(1) });
    const test = () => load(join(folder, "few"), "test");
    await assertRejects(test, Error, 'got 1 images in all; add a folder "test", or more images');
  });
});

Deno.test({
  name: "loadImageFolder() names folders and files that may not be read",
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  fn: async () => {
    await inFolder(async (folder) => {
      const set = join(folder, "set");
      await write(set, FILES);
      const { load, lines } = loader(folder);
      const file = join(set, "train/cat/0.png");
      await Deno.chmod(file, 0);
      await assertRejects(() => load(set), Error, `${file}: this user must have the right to`);
      assertEquals((await load(set, "train", { skipBroken: true })).count, 2);
      assert(lines.some((line) => line.startsWith("Passed over 1 of 3 images")));
      await Deno.chmod(join(set, "train"), 0);
      await assertRejects(() => load(set), Error, "Cannot read the folder");
      await Deno.chmod(join(set, "train"), 0o755);
    });
  },
});

Deno.test("loadImageFolder() follows links, but not round in circles", async () => {
  await inFolder(async (folder) => {
    const files = { "cat/0.png": flat(0), "dog/1.png": flat(10), "test.png": flat(20) };
    await write(join(folder, "real"), files);
    const set = join(folder, "set");
    await Deno.mkdir(join(set, "test/cat"), { recursive: true });
    await Deno.mkdir(join(set, "train"));
    await Deno.symlink(join(folder, "real/test.png"), join(set, "test/cat/2.png"));
    await Deno.symlink(join(folder, "real/cat"), join(set, "train/cat"));
    await Deno.symlink(join(folder, "real/dog"), join(set, "train/dog"));
    await Deno.symlink(set, join(set, "again"));
    await Deno.symlink(join(folder, "gone"), join(set, "broken.png"));
    const { load } = loader(folder);
    assertEquals(await seen(load(set)), ["0 cat", "10 dog"]);
    assertEquals(await seen(load(set, "test")), ["20 cat"]);
  });
});
