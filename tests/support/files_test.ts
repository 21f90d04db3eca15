import { join } from "node:path";
import {
  atomicWrite,
  checkOutput,
  checkWritable,
  ensureFolder,
  fileError,
  freeBytes,
  listNamedFolder,
  readFileChecked,
  readNamedFile,
} from "../../support/files.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "./assert.ts";
import { inFolder } from "./folder.ts";

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("atomicWrite() writes text, bytes and chunks, and replaces what was there", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.bin");
    await atomicWrite(path, "long first text");
    await atomicWrite(path, "über");
    assertEquals(await Deno.readTextFile(path), "über");
    await atomicWrite(path, new Uint8Array([1, 2, 3]));
    assertEquals([...await Deno.readFile(path)], [1, 2, 3]);
    await atomicWrite(path, [new Uint8Array([4]), new Uint8Array(0), new Uint8Array([5, 6])]);
    assertEquals([...await Deno.readFile(path)], [4, 5, 6]);
    assertEquals(names(folder), ["a.bin"]);
  });
});

Deno.test("atomicWrite() keeps the old file until the new one is whole", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a");
    await atomicWrite(path, "old");
    async function* chunks() {
      yield new Uint8Array([1]);
      assertEquals(await Deno.readTextFile(path), "old");
      assertEquals(names(folder).length, 2);
      throw new RangeError("half way");
    }
    await assertRejects(() => atomicWrite(path, chunks()), RangeError, "half way");
    assertEquals(await Deno.readTextFile(path), "old");
    assertEquals(names(folder), ["a"]);
  });
});

Deno.test("atomicWrite() lets writers of one file race without harm", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a");
    const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(1000));
    await Promise.all(texts.map((text) => atomicWrite(path, text)));
    assert(texts.includes(await Deno.readTextFile(path)));
    assertEquals(names(folder), ["a"]);
  });
});

Deno.test("atomicWrite() names the path when the folder is missing or is a file", async () => {
  await inFolder(async (folder) => {
    const missing = join(folder, "no", "a");
    await assertRejects(
      () => atomicWrite(missing, "x"),
      Error,
      `Cannot write ${missing}: the path must exist`,
    );
    const file = join(folder, "file");
    await atomicWrite(file, "x");
    await assertRejects(() => atomicWrite(join(file, "a"), "x"), Error, "one is a file");
    await Deno.mkdir(join(folder, "sub"));
    await assertRejects(() => atomicWrite(join(folder, "sub"), "x"), Error, "it is a folder");
    assertEquals(names(folder), ["file", "sub"]);
  });
});

Deno.test("fileError() says that the disk is full", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const error = await Deno.writeTextFile("/dev/full", "x").catch((cause) =>
    fileError("write", "/dev/full", cause)
  );
  assert(error instanceof Error && error.cause instanceof Error);
  assertEquals(
    error.message,
    "Cannot write /dev/full: the disk must have room, it is full: free some",
  );
});

Deno.test("fileError() says that a right is missing or the file system is read-only", () => {
  const withCode = (code: string) => Object.assign(new Error("raw"), { code });
  assertStringIncludes(fileError("write", "a", withCode("EACCES")).message, "permission denied");
  assertStringIncludes(fileError("write", "a", withCode("EROFS")).message, "read-only");
  assertEquals(fileError("write", "a", withCode("EWHAT")).message, "Cannot write a: raw");
});

Deno.test("ensureFolder() makes folders and accepts those that exist", async () => {
  await inFolder(async (folder) => {
    const deep = join(folder, "a", "b");
    await ensureFolder(deep);
    await ensureFolder(deep);
    assert((await Deno.stat(deep)).isDirectory);
    await atomicWrite(join(folder, "file"), "x");
    const taken = join(folder, "file");
    await assertRejects(() => ensureFolder(taken), Error, "the path must be free, it holds a file");
    await assertRejects(() => ensureFolder(join(taken, "x")), Error, "one is a file");
  });
});

Deno.test("readFileChecked() reads, and refuses what is absent, a folder or too large", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a");
    await atomicWrite(path, "abc");
    assertEquals(new TextDecoder().decode(await readFileChecked(path, 3)), "abc");
    await assertRejects(
      () => readFileChecked(path, 2),
      Error,
      `Cannot read ${path}: the file must have at most 2 bytes, got 3`,
    );
    await assertRejects(() => readFileChecked(join(folder, "b")), Error, "the path must exist");
    await assertRejects(() => readFileChecked(folder), Error, "it is a folder");
  });
});

Deno.test("freeBytes() gives a plausible number", async () => {
  const free = await freeBytes(".");
  assert(Number.isSafeInteger(free) && free > 0, `${free}`);
  await assertRejects(
    () => freeBytes("/no/such/folder"),
    Error,
    "Cannot ask for the free space of",
  );
});

Deno.test("checkOutput() refuses what atomicWrite() could not write, and touches nothing", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "mine");
    await checkOutput(file);
    await checkOutput(join(folder, "new"));
    assertEquals(names(folder), ["file"]);
    assertEquals(await Deno.readTextFile(file), "mine");
    const refused = async (path: string, why: string) => {
      const error = await assertRejects(() => checkOutput(path), Error, `Cannot write ${path}: `);
      assertStringIncludes(error.message, why);
      await assertRejects(() => atomicWrite(path, "new"), Error);
    };
    await refused(folder, "must name a file, it is a folder");
    await refused(join(folder, "gone", "new"), `the folder ${join(folder, "gone")} must exist`);
    await refused(join(folder, "n".repeat(250)), "the name must be shorter");
    await refused(join(file, "new"), "one is a file");
  });
});

Deno.test("checkWritable() and checkOutput() stand others that look at the same folder", async () => {
  await inFolder(async (folder) => {
    const looks = Array.from({ length: 200 }, async (_, i) => {
      await (i % 2 ? checkWritable(join(folder, "new")) : checkOutput(join(folder, "file")));
    });
    await Promise.all(looks);
    assertEquals(names(folder), []);
  });
});

Deno.test("checkWritable() leaves nothing behind, not even what a killed one left", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, ".probe.123.4.tmp"), "");
    await Deno.writeTextFile(join(folder, ".probe"), "mine");
    await checkWritable(join(folder, "not", "there"));
    await checkWritable(folder);
    assertEquals(names(folder), [".probe"]);
    const path = join(folder, ".probe", "run");
    await assertRejects(() => checkWritable(path), Error, `Cannot write to ${path}: `);
  });
});

Deno.test("readNamedFile() gives the bytes, or says in one line of wrong use what is there instead", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    await Deno.writeTextFile(path, "ab");
    assertEquals([...await readNamedFile("config", path)], [97, 98]);
    const cases = [
      [join(folder, "none"), "there is no such file"],
      [folder, "the path must name a file, it is a folder"],
      [join(path, "b"), "each folder on the path must be a folder, one is a file"],
    ] as const;
    for (const [place, why] of cases) {
      const error = await assertRejects(() => readNamedFile("the image", place), UsageError);
      assertEquals(error.message, `Cannot read the image ${place}: ${why}`);
      assert(error.cause instanceof Error);
    }
  }));

Deno.test("listNamedFolder() gives the entries, or says in one line of wrong use what is there instead", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    await Deno.writeTextFile(path, "");
    await Deno.mkdir(join(folder, "b"));
    const entries = await listNamedFolder("verify", folder);
    assertEquals(entries.map(({ name, isFile }) => `${name} ${isFile}`).sort(), [
      "a true",
      "b false",
    ]);
    const cases = [
      [join(folder, "none"), "there is no such folder"],
      [path, "it must be a folder, it is a file"],
    ] as const;
    for (const [place, why] of cases) {
      const error = await assertRejects(() => listNamedFolder("verify", place), UsageError);
      assertEquals(error.message, `Cannot verify ${place}: ${why}`);
    }
  }));
