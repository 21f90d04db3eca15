import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { datasetCache } from "../../../data/fetching/cache.ts";
import type { RunCommand } from "../../../data/fetching/debian.ts";
import { locate, MissingPlaceError, type Source } from "../../../data/fetching/locate_files.ts";
import { alone, bytesOf, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";
import { exists } from "../../../support/files.ts";

const CONTENT = bytesOf(1000, 3);

/** A set of one file, `set.bin`; a place "has" it by its path. */
function source(folder: string, url = "http://127.0.0.1:1/set.bin"): Source<string> {
  return {
    title: "Toy",
    folder: "toy",
    systemFolders: [`${folder}/system`],
    debian: { package: "dataset-toy", folder: "usr/share/toy" },
    files: [{
      name: "set.bin",
      bytes: CONTENT.length,
      sha256: createHash("sha256").update(CONTENT).digest("hex"),
      urls: [url],
    }],
    probe: async (place) =>
      await exists(`${place}/set.bin`) ? { found: `${place}/set.bin` } : { lacks: "no set.bin" },
  };
}

/** apt-get and dpkg that know the package once the lists were updated. */
function debian(content: Uint8Array, listsAreFresh: boolean): { run: RunCommand; log: string[] } {
  const log: string[] = [];
  let fresh = listsAreFresh;
  const run: RunCommand = async (command, args, cwd) => {
    const verb = args.find((arg) => ["update", "download", "-x"].includes(arg))!;
    log.push(`${command} ${verb}`);
    if (verb === "update") fresh = true;
    if (verb === "download") {
      if (!fresh) return { code: 100, output: "E: Unable to locate package dataset-toy" };
      await Deno.writeFile(`${cwd}/dataset-toy_1_all.deb`, new Uint8Array(1));
    }
    if (verb === "-x") await writeFiles(`${args.at(-1)}/usr/share/toy`, { "set.bin": content });
    return { code: 0, output: "" };
  };
  return { run, log };
}

Deno.test("datasetCache() follows DIFFRACT_CACHE, XDG_CACHE_HOME and HOME in this order", async () => {
  const vars: Record<string, string> = { DIFFRACT_CACHE: "/a", XDG_CACHE_HOME: "/b", HOME: "/c" };
  assertEquals(datasetCache((name) => vars[name]), "/a/datasets");
  delete vars.DIFFRACT_CACHE;
  assertEquals(datasetCache((name) => vars[name]), "/b/diffract/datasets");
  vars.XDG_CACHE_HOME = "";
  assertEquals(datasetCache((name) => vars[name]), "/c/.cache/diffract/datasets");
  // deno-lint-ignore require-await
  await assertRejects(async () => datasetCache(() => undefined), Error, "DIFFRACT_CACHE");
});

Deno.test("locate() takes the given folder, then the system's, then the cache", async () => {
  await inFolder(async (folder) => {
    const places = ["given", "system", "cache/toy"].map((name) => `${folder}/${name}`);
    for (const place of places) await writeFiles(place, { "set.bin": CONTENT });
    for (const place of places) {
      const dir = place === places[0] ? place : null;
      const found = await locate(source(folder), dir, () => {}, alone(`${folder}/cache`));
      assertEquals(found, `${place}/set.bin`);
      await Deno.remove(place, { recursive: true });
    }
  });
});

Deno.test("locate() puts no other set in the place of a given folder that has none", async () => {
  await inFolder(async (folder) => {
    await writeFiles(`${folder}/given`, {});
    await writeFiles(`${folder}/system`, { "set.bin": CONTENT });
    const lines: string[] = [];
    const error = await assertRejects(
      () =>
        locate(
          source(folder),
          `${folder}/given`,
          (line) => lines.push(line),
          alone(`${folder}/cache`),
        ),
      MissingPlaceError,
      `Cannot find Toy: data.dir must hold it, or toy in it, got "${folder}/given" (no set.bin)`,
    );
    assert(!error.message.includes("\n"));
    assertEquals(lines, []);
  });
});

Deno.test("locate() looks in the given folder where other programs keep the set below it", async () => {
  for (const inside of ["Toy/raw", "toy"]) {
    await inFolder(async (folder) => {
      const place = `${folder}/given/${inside}`;
      await writeFiles(place, { "set.bin": CONTENT });
      const toy = { ...source(folder), inside: ["Toy/raw"] };
      const found = await locate(toy, `${folder}/given`, () => {}, alone(`${folder}/cache`));
      assertEquals(found, `${place}/set.bin`);
    });
  }
});

Deno.test("locate() refuses a given folder that does not exist", async () => {
  await inFolder(async (folder) => {
    await assertRejects(
      () => locate(source(folder), `${folder}/typo`, () => {}, alone(`${folder}/cache`)),
      MissingPlaceError,
      "data.dir must name something that exists",
    );
  });
});

Deno.test("locate() fetches Debian's package and keeps its files alone", async () => {
  for (const fresh of [true, false]) {
    await inFolder(async (folder) => {
      const { run, log } = debian(CONTENT, fresh);
      const lines: string[] = [];
      const around = { ...alone(`${folder}/cache`), run };
      const find = () => locate(source(folder), null, (line) => lines.push(line), around);
      const path = await find();
      assertEquals(path, `${folder}/cache/toy/set.bin`);
      assertEquals(await Deno.readFile(path), CONTENT);
      assertEquals(
        log,
        fresh
          ? ["apt-get download", "dpkg -x"]
          : ["apt-get download", "apt-get update", "apt-get download", "dpkg -x"],
      );
      assertEquals([...Deno.readDirSync(`${folder}/cache/toy`)].map(({ name }) => name), [
        "set.bin",
      ]);
      assertEquals(lines, ["Fetching Toy from Debian's package dataset-toy"]);
      assertEquals(await find(), path);
      assertEquals(lines.length, 1, "the second time it is in the cache");
    });
  }
});

Deno.test("locate() downloads what no other place has", async () => {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => new Response(CONTENT),
  );
  try {
    await inFolder(async (folder) => {
      const url = `http://127.0.0.1:${server.addr.port}/set.bin`;
      const path = await locate(source(folder, url), null, () => {}, alone(`${folder}/cache`));
      assertEquals(await Deno.readFile(path), CONTENT);
    });
  } finally {
    await server.shutdown();
  }
});

Deno.test("locate() lists every place when the set is nowhere", async () => {
  await inFolder(async (folder) => {
    const { run } = debian(new Uint8Array(5), true);
    const error = await assertRejects(
      () =>
        locate(source(folder), null, () => {}, {
          ...alone(`${folder}/cache`),
          run,
        }),
      Error,
      "Cannot find Toy: ",
    );
    for (
      const part of [
        `${folder}/system (no such folder)`,
        `${folder}/cache/toy (no such folder)`,
        "Debian's package dataset-toy (the SHA-256 of set.bin must be",
        "http://127.0.0.1:1/set.bin",
        `put set.bin from http://127.0.0.1:1/ into ${folder}/cache/toy, or name their folder with data.dir`,
      ]
    ) assert(error.message.includes(part), `${part} must be in: ${error.message}`);
    assert(!error.message.includes("\n"));
  });
});
