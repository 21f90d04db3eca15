import { join } from "node:path";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { readImages } from "../../../data/sets/image_folder.ts";
import { openImagePlace } from "../../../data/sets/image_place.ts";
import type { Split } from "../../../data/dataset.ts";
import { encodePng } from "../../../formats/png.ts";
import { gnuLong, paxItem, type TarItem, tarOf } from "../../formats/tar_writer.ts";
import { type ZipItem, zipOf } from "../../formats/zip_writer.ts";
import { inFolder } from "../../support/folder.ts";

/** A picture of one colour. */
function flat(value: number): Uint8Array {
  const data = new Uint8Array(4 * 4 * 3).fill(value);
  return encodePng({ width: 4, height: 4, channels: 3, data });
}

const text = (value: string) => new TextEncoder().encode(value);
const latin = (value: string) => Uint8Array.from(value, (letter) => letter.charCodeAt(0));
const file = (name: string | Uint8Array, value: number): TarItem & ZipItem => ({
  name,
  bytes: flat(value),
});

/** What is read: "20 dog" of each image, sorted, and all that is said. */
async function read(path: string, split: Split, skipBroken = false) {
  const lines: string[] = [];
  const place = await openImagePlace(path);
  const options = { size: 4, channels: 3, crop: true, resize: "area", skipBroken } as const;
  const set = await readImages(place, split, options, (line) => lines.push(line));
  const seen = Array.from(
    { length: set.count },
    (_, i) => `${set.images[48 * i]} ${set.labels ? set.classNames![set.labels[i]!] : "-"}`,
  );
  return { seen: seen.sort(), said: lines.join("\n") };
}

/** Reads the training images of an archive of these bytes. */
async function unpacked(bytes: Uint8Array, split: Split = "train") {
  let result = { seen: [] as string[], said: "" };
  await inFolder(async (folder) => {
    const path = join(folder, "archive");
    await Deno.writeFile(path, bytes);
    result = await read(path, split);
  });
  return result;
}

const TEST = [file("test/cat/9.png", 9), file("test/dog/8.png", 8)];
const ALL = ["0 cat", "1 cat", "2 dog"];

for (
  const [what, names] of [
    ["\\", ["train\\cat\\0.png", "train\\cat\\1.png", "train\\dog\\2.png"]],
    ["\\ below a top folder", [
      "d\\train\\cat\\0.png",
      "d/train\\cat\\1.png",
      "d\\train/dog\\2.png",
    ]],
    ["./", ["./train/cat/0.png", "./train/./cat/1.png", "./train//dog/2.png"]],
    ["/", ["/train/cat/0.png", "/train/cat/1.png", "/train/dog/2.png"]],
    ["..", ["../train/cat/0.png", "train/x/../cat/1.png", "../../train/dog/2.png"]],
  ] as const
) {
  Deno.test(`loadImageFolder() keeps splits and classes of archives whose names have ${what}`, async () => {
    const top = names[0].startsWith("d") ? "d\\" : "";
    const items = [
      ...names.map((name, i) => file(name, i)),
      ...TEST.map(({ name, bytes }) => ({ name: top + name, bytes })),
    ];
    for (const bytes of [tarOf(items), zipOf(items)]) {
      assertEquals((await unpacked(bytes)).seen, ALL);
      assertEquals((await unpacked(bytes, "test")).seen, ["8 dog", "9 cat"]);
    }
  });
}

Deno.test("loadImageFolder() takes \\ for / in names that were unpacked into one folder", async () => {
  await inFolder(async (folder) => {
    for (
      const [i, name] of ["train\\cat\\0.png", "train\\cat\\1.png", "train\\dog\\2.png"].entries()
    ) {
      await Deno.writeFile(join(folder, name), flat(i));
    }
    await Deno.writeFile(join(folder, "test\\cat\\9.png"), flat(9));
    assertEquals((await read(folder, "train")).seen, ALL);
  });
});

const hard = (name: string, target: string): TarItem => ({ name, type: "1", target });
const link = (name: string, target: string): TarItem => ({ name, type: "2", target });

const LINKED: Readonly<Record<string, readonly TarItem[]>> = {
  "hard links": [
    ...[file("train/a/0.png", 0), hard("train/a/1.png", "train/a/0.png")],
    ...[file("train/b/2.png", 2), hard("train/b/3.png", "./train/b/2.png")],
  ],
  "hard links before their targets, in chains": [
    ...[hard("train/a/1.png", "x/1"), hard("x/1", "x/0"), hard("x/0", "train/a/0.png")],
    ...[file("train/a/0.png", 0), file("train/b/2.png", 2), hard("train/b/3.png", "train/b/2.png")],
  ],
  "symbolic links in chains": [
    ...[link("train/a/1.png", "../../x/1"), link("x/1", "./0"), link("x/0", "../train/a/0.png")],
    ...[file("train/a/0.png", 0), file("train/b/2.png", 2), link("train/b/3.png", "2.png")],
  ],
  "folders that are links": [
    ...[link("train/a", "../all/first"), link("train/b", "../all/more/../second")],
    ...[file("all/first/0.png", 0), link("all/first/1.png", "0.png"), file("all/more/5.txt", 5)],
    ...[file("all/second/2.png", 2), hard("all/second/3.png", "all/second/2.png")],
  ],
  "files put where a link leads": [
    ...[file("all/0.png", 0), link("train/a", "../all"), hard("train/a/1.png", "all/0.png")],
    ...[file("train/b/2.png", 2), hard("train/b/3.png", "train/b/2.png")],
  ],
  "all of it linked": [
    ...[link("train", "set/../set/t"), file("set/t/a/0.png", 0), link("set/t/a/1.png", "0.png")],
    ...[file("set/t/b/2.png", 2), link("set/t/b/3.png", "../../../set/t/b/2.png")],
  ],
};

for (const [what, items] of Object.entries(LINKED)) {
  Deno.test(`loadImageFolder() follows links inside of tar archives: ${what}`, async () => {
    const bytes = tarOf([...items, file("test/a/9.png", 9), hard("test/b/8.png", "test/a/9.png")]);
    const { seen, said } = await unpacked(bytes);
    assertEquals(seen, ["0 a", "0 a", "2 b", "2 b"]);
    assert(!said.includes("link"), said);
    assertEquals((await unpacked(bytes, "test")).seen, ["9 a", "9 b"]);
  });
}

Deno.test("loadImageFolder() follows links of zip archives", async () => {
  const target = (name: string, to: string) => ({ name, bytes: text(to), mode: 0o120777 });
  const { seen } = await unpacked(zipOf([
    ...[target("train/cat/1.png", "../../real/1.png"), file("train/cat/0.png", 0)],
    ...[target("train/dog", "../real/dog"), file("real/dog/2.png", 2), file("real/1.png", 1)],
    ...TEST,
  ]));
  assertEquals(seen, ALL);
});

Deno.test("loadImageFolder() follows no link out of an archive or in a circle, and says so", async () => {
  const bytes = tarOf([
    ...[file("cat/0.png", 0), file("dog/2.png", 2), file("cat/1.png", 1)],
    ...[link("cat/out.png", "/etc/passwd"), link("cat/up.png", "../../../etc/passwd")],
    ...[link("cat/round.png", "around.png"), link("cat/around.png", "round.png")],
    ...[hard("cat/self.png", "cat/self.png"), link("dog/again", "../dog"), link("dog/top", "..")],
    ...[hard("dog/gone.png", "dog/absent.png"), link("dog/5.png", "2.png/x")],
    { name: "dog/tty.png", type: "3" },
  ]);
  const { seen, said } = await unpacked(bytes);
  const test = await unpacked(bytes, "test");
  assertEquals([...seen, ...test.seen].sort(), ALL);
  for (
    const part of [
      "2 links leading out of the archive, as cat/out.png",
      "3 links leading in a circle",
      "2 links leading back to a folder above, as dog/again",
      "2 links leading nowhere, as dog/gone.png",
      "1 entry of a device, a pipe or a sparse file, as dog/tty.png",
    ]
  ) assertStringIncludes(said, part);
});

Deno.test("loadImageFolder() refuses links that name a few files without end", async () => {
  const layers = Array.from({ length: 40 }, (_, i) => [
    { name: `l${i}`, type: "5" },
    ...["a", "b", "c"].map((name) => link(`l${i}/${name}`, `../l${i + 1}`)),
  ]);
  const bytes = tarOf([...layers.flat(), file("l40/0.png", 0)]);
  await assertRejects(() => unpacked(bytes), RangeError, "must have fewer names than");
});

Deno.test("loadImageFolder() reads long names of pax and GNU, and the last file of a name", async () => {
  const long = `train/cat/${"n".repeat(250)}.png`;
  const { seen, said } = await unpacked(tarOf([
    ...[gnuLong("L", long), file("cut", 0)],
    ...[paxItem({ path: `${long}2.png` }), file("cut", 1)],
    ...[file("train/dog/2.png", 77), file("train/dog/2.png", 2)],
    ...[gnuLong("K", long), hard("test/cat/9.png", "cut"), file("test/dog/8.png", 8)],
  ]));
  assertEquals(seen, ALL);
  assertStringIncludes(said, "1 file of a name that comes again later, as train/dog/2.png");
  const zip = zipOf([file("0.png", 77), file("0.png", 0), file("1.png", 1), file(".\\0.png", 5)]);
  const test = await unpacked(zip, "test");
  assertStringIncludes(test.said, "2 files of a name that comes again later");
  assertEquals([...(await unpacked(zip)).seen, ...test.seen].sort(), ["1 -", "5 -"]);
});

Deno.test("loadImageFolder() reads old tars, joined ones, and zips of zip64 or with sizes behind", async () => {
  const items = [
    file("train/cat/0.png", 0),
    file("train/cat/1.png", 1),
    file("train/dog/2.png", 2),
  ];
  const old = tarOf([...items, ...TEST].map((item) => ({ ...item, format: "v7" as const })));
  assertEquals((await unpacked(old)).seen, ALL);
  const joined = Uint8Array.of(...tarOf(items.slice(0, 1)), ...tarOf([...items.slice(1), ...TEST]));
  assertEquals((await unpacked(joined)).seen, ALL);
  for (const form of [{ zip64: true }, { flags: 8 }, { flags: 0x808 }]) {
    const bytes = zipOf([...items, ...TEST].map((item) => ({ ...item, ...form })));
    assertEquals((await unpacked(bytes)).seen, ALL);
  }
});

Deno.test("loadImageFolder() says how to unpack what it does not read, alone or in a folder", async () => {
  const kinds: readonly (readonly [string, number[], string])[] = [
    ["set.tar.bz2", [0x42, 0x5a, 0x68, 0x39], "bunzip2 -k "],
    ["set.tar.xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "unxz -k "],
    ["set.tar.zst", [0x28, 0xb5, 0x2f, 0xfd], "unzstd "],
    ["set.7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "7z x "],
    ["set.rar", [0x52, 0x61, 0x72, 0x21, 0x1a, 7], "unrar x "],
  ];
  for (const [name, magic, remedy] of kinds) {
    await inFolder(async (folder) => {
      const path = join(folder, name);
      await Deno.writeFile(path, Uint8Array.of(...magic, ...new Uint8Array(600)));
      for (const place of [path, folder]) {
        await assertRejects(() => read(place, "train"), Error, `unpack it, by "${remedy}${path}"`);
      }
    });
  }
});

Deno.test("loadImageFolder() reads names of archives that are not UTF-8, each for itself", async () => {
  const odd = [file(latin("train/caf\xe9/0.png"), 0), file(latin("train/caf\xe8/0.png"), 1)];
  const pax = [
    paxItem({ hdrcharset: "BINARY", path: latin("train/caf\xe9/1.png") }),
    file("cut", 2),
  ];
  const { seen, said } = await unpacked(tarOf([...odd, ...pax, file("test/caf\u00e9/9.png", 9)]));
  assertEquals(seen, ["0 caf%E9", "1 caf%E8", "2 caf%E9"]);
  assertStringIncludes(
    said,
    "3 of the names are not in UTF-8, their letters may be others, as train/",
  );
  const zip = await unpacked(zipOf([
    ...[file(latin("train/caf\x82/0.png"), 0), file("train/th\u00e9/1.png", 1)],
    ...[{ ...file("train/th\u00e9/2.png", 2), flags: 0x800 }, file("test/th\u00e9/9.png", 9)],
    { ...file(latin("train/\xff\xfe/3.png"), 3), unicodePath: "train/\u8336/3.png" },
  ]));
  assertEquals(zip.seen, ["0 caf\u00e9", "1 th\u00e9", "2 th\u00e9", "3 \u8336"]);
  assertStringIncludes(zip.said, "1 of the names are not in UTF-8");
});

Deno.test("loadImageFolder() shows names with control characters and long ones in one line", async () => {
  const bytes = new Uint8Array(3);
  const names = ["a\nb.png", "a\x1b[2J\x9b.png", "a\u202egnp.exe.png", `${"x/".repeat(120)}y.png`];
  for (const name of names) {
    for (
      const archive of [tarOf([paxItem({ path: name }), { name, bytes }]), zipOf([{ name, bytes }])]
    ) {
      const error = await assertRejects(() => unpacked(archive), Error, "Cannot use the image ");
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x1f\x7f-\x9f\u202e]/.test(error.message), JSON.stringify(error.message));
      assert(error.message.length < 600, error.message);
    }
  }
});

Deno.test("loadImageFolder() says in one line each what folders with odd names are left aside", async () => {
  const names = ["train/cat/0.png", "train/dog/1.png", "test/cat/9.png", "a\n\x1b[2J/5.png"];
  const { said } = await unpacked(zipOf(names.map((name, i) => file(name, i))));
  assertStringIncludes(said, "Left aside: 1 image in the folder a\\n\\x1b[2J (");
});

Deno.test("loadImageFolder() names the archive that has an encrypted file", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.zip");
    await Deno.writeFile(path, zipOf([{ ...file("0.png", 0), flags: 1 }]));
    await assertRejects(() => read(path, "train"), TypeError, `Cannot read ${path}: "0.png" must`);
  });
});

Deno.test({
  name: "loadImageFolder() names files and folders whose names on disk are not UTF-8",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await inFolder(async (folder) => {
      const set = join(folder, "set");
      for (const [name, value] of [["the/0.png", 0], ["the/1.png", 1], ["tea/2.png", 2]] as const) {
        await Deno.mkdir(join(set, name, ".."), { recursive: true });
        await Deno.writeFile(join(set, name), flat(value));
      }
      // Whoever runs this cannot give such a name either; the shell can.
      const shell = async (script: string) => {
        const run = new Deno.Command("sh", { args: ["-c", script], cwd: set });
        assert((await run.output()).success);
      };
      await shell(
        "cp the/1.png \"the/$(printf '\\351').png\"; touch \"$(printf '\\351\\350').txt\"",
      );
      await assertRejects(
        () => read(set, "train"),
        Error,
        "its name must be UTF-8 to be opened",
      );
      const one = await read(set, "train", true);
      assertStringIncludes(one.said, "Passed over 1 of 3 images that cannot be used, as ");
      assertStringIncludes(one.said, "1 .txt file");
      await shell("mv the \"$(printf 'caf\\351')\"; cp -r caf* \"$(printf 'caf\\350')\"");
      await assertRejects(() => read(set, "train"), Error, "Cannot use the folder ");
      const all = await read(set, "train", true);
      assertStringIncludes(all.said, "Passed over 2 folders with all that is inside, as ");
    });
  },
});

Deno.test({
  name: "loadImageFolder() refuses a folder whose links lead to the same folders without end",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      for (let i = 0; i < 14; i++) {
        await Deno.mkdir(join(folder, `${i}`));
        for (const name of ["a", "b"]) {
          await Deno.symlink(`../${i + 1}`, join(folder, `${i}`, name));
        }
      }
      await Deno.writeFile(join(folder, "0.png"), flat(0));
      await assertRejects(() => read(folder, "train"), RangeError, "again and again");
    });
  },
});

Deno.test({
  name: "loadImageFolder() says which links of a folder lead nowhere, and what is no file",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      for (let i = 0; i < 3; i++) await Deno.writeFile(join(folder, `${i}.png`), flat(i));
      await Deno.symlink(join(folder, "gone"), join(folder, "link"));
      await Deno.symlink(folder, join(folder, "again"));
      const fifo = new Deno.Command("mkfifo", { args: [join(folder, "pipe.png")] });
      assert((await fifo.output()).success);
      const { seen, said } = await read(folder, "train");
      assertEquals(seen.length, 2);
      assertStringIncludes(said, "1 link leading nowhere, as link");
      assertStringIncludes(said, "1 link leading back to a folder above, as again");
      assertStringIncludes(said, "1 pipe or device, as pipe.png");
    });
  },
});
