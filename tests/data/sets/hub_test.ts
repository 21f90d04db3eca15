import { join } from "node:path";
import { DATA, type DataOptions } from "../../../data/options.ts";
import { loadImages, openImages } from "../../../data/registry.ts";
import { chooseHubFiles, parseHubName } from "../../../data/sets/hub_files.ts";
import type { HubSettings } from "../../../data/fetching/hub/settings.ts";
import { encodePng } from "../../../formats/png.ts";
import { UsageError } from "../../../support/errors.ts";
import { withDefaults } from "../../../support/options.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { FOREIGN_FILES, formulaImages } from "../../support/foreign_files.ts";
import { gitName, type HubSet, sha256, type TestHub, withHub } from "../../support/hub_server.ts";
import { page, parquetFile, plainBytes } from "../../support/parquet_file.ts";
import { writeTar } from "../../formats/tar_writer.ts";
import { alone } from "../fixtures.ts";

const SIX = new Uint8Array(FOREIGN_FILES.parquetSnappy);
const THREE = new Uint8Array(FOREIGN_FILES.parquetBrotli);

function flat(value: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(64).fill(value);
  return new Uint8Array(encodePng({ width: 8, height: 8, channels: 1, data }));
}

/** A file with an image a value in each of some columns, and whole numbers in others. */
function columns(
  images: Readonly<Record<string, readonly number[]>>,
  numbers: Readonly<Record<string, readonly number[]>>,
  features: unknown = {},
): Uint8Array<ArrayBuffer> {
  const rows = Object.values(images)[0]!.length;
  const own = Object.entries(images).map(([name, values]) => ({
    ...{ name: `${name}.bytes`, values: rows },
    pages: page(plainBytes(values.map((value) => [...flat(value)])), { count: rows }),
  }));
  const whole = Object.entries(numbers).map(([name, values]) => ({
    ...{ name, type: 2, values: rows },
    pages: page([...new Uint8Array(BigInt64Array.from(values, BigInt).buffer)], { count: rows }),
  }));
  return parquetFile([...own, ...whole], rows, own.length + whole.length, {
    huggingface: JSON.stringify({ info: { features } }),
  });
}

const DEFAULTS = withDefaults(DATA, { size: 8, channels: 1 });

interface Around {
  readonly hub: TestHub;
  readonly folder: string;
  readonly lines: string[];
  /** Loads a split of a set. */
  readonly load: (
    name: string,
    split?: "train" | "test",
    options?: Partial<DataOptions>,
    settings?: Partial<HubSettings>,
  ) => ReturnType<typeof loadImages>;
}

function hubTest(
  name: string,
  sets: Readonly<Record<string, HubSet>>,
  body: (around: Around) => Promise<void>,
): void {
  Deno.test(name, () =>
    inFolder((folder) =>
      withHub(sets, async (hub) => {
        const lines: string[] = [];
        const say = (line: string) => lines.push(line);
        const load: Around["load"] = (name, split = "train", options = {}, settings = {}) => {
          const data = { ...DEFAULTS, name: name as DataOptions["name"], ...options };
          const cache = join(folder, "hub");
          const own = { endpoint: hub.endpoint, cache, token: null, offline: false, ...settings };
          const open = data.stream ? openImages : loadImages;
          return open(data, split, say, { ...alone(join(folder, "own")), hub: own });
        };
        await body({ hub, folder, lines, load });
      })
    ));
}

hubTest("hf: reads Parquet of a set, in the cache of the hub's own clients", {
  "someone/pets": {
    branches: {
      main: {
        "README.md": "---\n---\n",
        "data/train-00000-of-00002.parquet": SIX,
        "data/train-00001-of-00002.parquet": THREE,
        "data/test-00000-of-00001.parquet": THREE,
      },
    },
  },
}, async ({ hub, folder, lines, load }) => {
  const train = await load("hf:someone/pets", "train", { channels: 3 });
  const expected = formulaImages(6, 8, 8, 3);
  assertEquals(train.count, 9);
  assertEquals(train.classNames, ["cat", "dog", "frog"]);
  // As a set, whatever its order.
  const sums = (images: Uint8Array) =>
    Array.from(
      { length: images.length / 192 },
      (_, i) => images.subarray(192 * i, 192 * (i + 1)).join(),
    ).sort();
  assertEquals(
    sums(train.images),
    [...sums(expected), ...sums(expected.subarray(0, 3 * 192))].sort(),
  );
  assertEquals((await load("hf:someone/pets", "test", { channels: 3 })).count, 3);
  assertEquals(lines.filter((line) => line.startsWith("Fetching")).length, 1);

  const place = join(folder, "hub", "datasets--someone--pets"),
    commit = hub.commitOf("someone/pets");
  assertEquals(await Deno.readTextFile(join(place, "refs", "main")), commit);
  const link = join(place, "snapshots", commit, "data", "train-00000-of-00002.parquet");
  assertEquals(await Deno.readLink(link), `../../../blobs/${sha256(SIX)}`);
  assertEquals(await Deno.readFile(join(place, "blobs", sha256(SIX))), SIX);
  const tree = JSON.parse(await Deno.readTextFile(join(place, "trees", `${commit}.json`)));
  assertEquals(tree.files["README.md"], { size: 8, blob_id: gitName("---\n---\n") });
  assertEquals(tree.files["data/test-00000-of-00001.parquet"].lfs_sha256, sha256(THREE));

  // What is decoded is not fetched again, and without the network all is as it was.
  hub.asked.length = 0;
  await load("hf:someone/pets", "train", { channels: 3 });
  assertEquals(hub.asked, ["revision someone/pets main"]);
  const size = { size: 4 };
  const offline = await load("hf:someone/pets", "train", size, { offline: true });
  assertEquals([offline.count, hub.asked.length], [9, 1]);
  hub.faults.down = true;
  const streamed = await load("hf:someone/pets", "train", { ...size, stream: true });
  assertEquals(streamed.checksum, offline.checksum);
  assert(lines.some((line) => line.includes("as it was fetched before")), lines.join("\n"));
  await assertRejects(
    () => load("hf:someone/pets", "train", {}, { cache: join(folder, "none") }),
    Error,
    "it is not there and",
  );
});

hubTest("hf: uses what another client fetched, by its links alone", {
  "someone/pets": { branches: { main: { "train.parquet": SIX, "test.parquet": THREE } } },
}, async ({ hub, folder, load }) => {
  const place = join(folder, "hub", "datasets--someone--pets"), commit = "c".repeat(40);
  await Deno.mkdir(join(place, "blobs"), { recursive: true });
  await Deno.mkdir(join(place, "snapshots", commit), { recursive: true });
  await Deno.mkdir(join(place, "refs"));
  await Deno.writeTextFile(join(place, "refs", "main"), commit);
  await Deno.writeFile(join(place, "blobs", sha256(SIX)), SIX);
  await Deno.symlink(
    `../../blobs/${sha256(SIX)}`,
    join(place, "snapshots", commit, "train.parquet"),
  );
  const set = await load("hf:someone/pets", "train", {}, { offline: true });
  assertEquals([set.count, hub.asked], [5, []]);
  // A blob that is there for another name is linked, not fetched.
  await load("hf:someone/pets", "train");
  assertEquals(hub.asked.filter((line) => line.startsWith("store")), []);
});

hubTest("hf: goes on with a download that broke off, and refuses other bytes", {
  "someone/pets": { branches: { main: { "train.parquet": SIX, "test.parquet": THREE } } },
}, async ({ hub, folder, load }) => {
  hub.faults.cutAt = 1000;
  await assertRejects(() => load("hf:someone/pets"), Error, "the connection ended after 1000");
  const blobs = join(folder, "hub", "datasets--someone--pets", "blobs");
  assertEquals((await Deno.stat(join(blobs, `${sha256(SIX)}.incomplete`))).size, 1000);
  assertEquals((await load("hf:someone/pets")).count, 6);
  assert(hub.asked.includes("store bytes=1000-"), hub.asked.join());

  await Deno.writeFile(join(blobs, `${sha256(THREE)}.incomplete`), new Uint8Array(THREE.length));
  await assertRejects(() => load("hf:someone/pets", "test"), Error, "the SHA-256 must be");
  assertEquals((await load("hf:someone/pets", "test")).count, 3);
});

hubTest("hf: says what to do where a set is missing, private, gated, or of nothing that is read", {
  "someone/private": { branches: { main: { "train.parquet": SIX } }, owner: "hf_me" },
  "someone/gated": { branches: { main: { "train.parquet": SIX } }, gated: "auto", owner: "hf_me" },
  "someone/text": { branches: { main: { "train.jsonl": "{}" } } },
  "someone/odd": { branches: { main: { "train.parquet": SIX } } },
}, async ({ hub, folder, load }) => {
  const refuses = (name: string, ...words: string[]) =>
    Promise.all(words.map((word) => assertRejects(() => load(name), UsageError, word)));
  await refuses("hf:someone/none", "401 (RepoNotFound)", "set HF_TOKEN to a token");
  await refuses("hf:someone/private", "where it is private, set HF_TOKEN");
  await refuses(
    "hf:someone/gated",
    `ask for it at ${hub.endpoint}/datasets/someone/gated, then set`,
  );
  await refuses("hf:someone/text@v2", "the revision must be a branch, tag or commit");
  await refuses(
    "hf:someone/text",
    "must have Parquet files, images or archives of images, got .jsonl",
  );
  await assertRejects(
    () => load("hf:someone/text", "train", { dir: folder }),
    UsageError,
    "HF_HUB_CACHE names the folder",
  );
  // The token goes to the hub and nowhere else.
  for (const name of ["private", "gated"]) {
    assertEquals((await load(`hf:someone/${name}`, "train", {}, { token: "hf_me" })).count, 5);
  }
  for (const path of ["../../evil", "/etc/evil", "a\\..\\evil", ""]) {
    hub.faults.rename = () => path;
    await assertRejects(() => load("hf:someone/odd"), SyntaxError, "a name inside of it");
  }
});

hubTest("hf: takes the hub's own conversion of a set, unless it is of a part", {
  "someone/whole": {
    branches: {
      "main": { "a.csv": "x", "images/cat/1.png": flat(1), "images/dog/2.png": flat(2) },
      "refs/convert/parquet": { "default/train/0000.parquet": SIX },
    },
  },
  "someone/part": {
    branches: {
      "main": {
        "pets/train/cat/1.png": flat(1),
        "pets/train/dog/2.png": flat(2),
        "pets/test/dog/3.png": flat(3),
      },
      "refs/convert/parquet": { "default/partial-train/0000.parquet": SIX },
    },
  },
  "someone/tar": {
    branches: {
      main: {
        "train.tar": writeTar([{ name: "cat/1.png", bytes: flat(1) }, {
          name: "dog/2.png",
          bytes: flat(2),
        }]),
        "test.tar": writeTar([{ name: "dog/3.png", bytes: flat(3) }]),
      },
    },
  },
}, async ({ lines, load }) => {
  assertEquals((await load("hf:someone/whole")).count, 5);
  assertEquals((await load("hf:someone/whole@refs/convert/parquet")).count, 5);
  for (const name of ["hf:someone/part", "hf:someone/tar"]) {
    const train = await load(name), test = await load(name, "test");
    assertEquals([train.count, test.count, test.images[0]], [2, 1, 3]);
    assertEquals([train.classNames, [...test.labels!]], [["cat", "dog"], [1]]);
  }
  assert(lines.some((line) => line.includes("a part of the set alone")), lines.join("\n"));
  // Without the network as with it.
  assertEquals((await load("hf:someone/tar", "test", {}, { offline: true })).count, 1);
});

const sample = (key: string, value: number, label: number) => [
  { name: `${key}.png`, bytes: flat(value) },
  { name: `${key}.cls`, bytes: new TextEncoder().encode(`${label}`) },
];

hubTest("hf: takes WebDataset's shards with their labels and the names of classes", {
  "someone/wds": {
    branches: {
      main: {
        "classnames.txt": "cat\ndog\n",
        "train/0.tar": writeTar([...sample("s0", 1, 0), ...sample("s1", 2, 1)]),
        "train/1.tar": writeTar(sample("s0", 4, 1)),
        "train/nshards.txt": "2\n",
        "test/0.tar": writeTar(sample("s0", 3, 1)),
      },
    },
  },
}, async ({ load }) => {
  const train = await load("hf:someone/wds"), test = await load("hf:someone/wds", "test");
  assertEquals([train.count, test.count, test.images[0]], [3, 1, 3]);
  assertEquals([train.classNames, [...test.labels!]], [["cat", "dog"], [1]]);
  assertEquals([...train.labels!].sort(), [0, 1, 1]);
});

hubTest("hf: tells columns by features and by choice, and asks where there are several", {
  "someone/pairs": {
    branches: {
      main: {
        "train.parquet": columns({ left: [1, 2], right: [3, 4] }, { kind: [1, 0], id: [7, 8] }, {
          left: { _type: "Image" },
          right: { _type: "Image" },
          kind: { _type: "ClassLabel", names: ["old", "new"] },
        }),
        "test.parquet": columns({ left: [5], right: [6] }, { kind: [1], id: [9] }),
      },
    },
  },
}, async ({ load }) => {
  await assertRejects(
    () => load("hf:someone/pairs"),
    SyntaxError,
    "one column of images, got left, right; data.imageColumn says which, as --data.imageColumn=left",
  );
  const right = await load("hf:someone/pairs", "train", { imageColumn: "right" });
  const seen = [0, 64].map((at, i) => [right.images[at]!, right.classNames![right.labels![i]!]!]);
  assertEquals(seen.sort(), [[3, "new"], [4, "old"]]);
  const chosen = { imageColumn: "left", labelColumn: "id" };
  const test = await load("hf:someone/pairs", "test", chosen);
  assertEquals([test.images[0], [...test.labels!]], [5, [9]]);
  await assertRejects(
    () => load("hf:someone/pairs", "train", { ...chosen, labelColumn: "left" }),
    SyntaxError,
    "must be a column of whole numbers, got left; there are kind, id",
  );
  await assertRejects(
    () => load("hf:someone/pairs", "train", { imageColumn: "middle" }),
    SyntaxError,
    "called middle, got left, right",
  );
});

Deno.test("chooseHubFiles() takes sets and splits from the card, else from names", () => {
  const files = (name: string, paths: readonly string[], card: unknown = null) => {
    const found = chooseHubFiles(paths, card, parseHubName(name)!);
    return found?.kind === "parquet"
      ? (["train", "test"] as const).map((split) => found.ofSplit(split).paths)
      : found && found.paths;
  };
  const paths = ["en/a-0.parquet", "en/b-0.parquet", "fr/a-0.parquet", "all/x/train-1.parquet"];
  const card = {
    configs: [
      {
        config_name: "en",
        data_files: [{ split: "train", path: "en/a-*" }, { split: "validation", path: ["en/b-*"] }],
      },
      { config_name: "fr", data_files: "fr/*.parquet" },
      { config_name: "all", data_dir: "./all/" },
    ],
  };
  assertEquals(files("hf:a/b#en", paths, card), [["en/a-0.parquet"], ["en/b-0.parquet"]]);
  assertEquals(files("hf:a/b#fr", paths, card), [["fr/a-0.parquet"], ["fr/a-0.parquet"]]);
  assertEquals(files("hf:a/b#all", paths, card)![0], ["all/x/train-1.parquet"]);
  const first = { configs: [{ ...card.configs[0], default: true }, card.configs[1]] };
  assertEquals(files("hf:a/b", paths, first)![0], ["en/a-0.parquet"]);
  assertThrows(
    () => files("hf:a/b", paths, card),
    UsageError,
    "en, fr, all; as in --data.name=hf:a/b#en",
  );
  assertThrows(
    () => files("hf:a/b#de", paths, card),
    UsageError,
    "one of its sets, they are en, fr",
  );

  const named = ["data/en/train.parquet", "data/en/test.parquet", "data/fr/train.parquet"];
  assertEquals(files("hf:a/b#en", named), [["data/en/train.parquet"], ["data/en/test.parquet"]]);
  assertThrows(() => files("hf:a/b", named), UsageError, "its 2 sets to take, they are data/en");
  assertEquals(files("hf:a/b", ["x.zip", "README.md"]), ["x.zip"]);
  assertEquals(files("hf:a/b", ["README.md"]), null);
});

Deno.test("parseHubName() takes a name, a revision and a set", () => {
  const parts = (name: string) => Object.values(parseHubName(name) ?? {});
  assertEquals(parts("hf:mnist"), ["mnist", null, null]);
  assertEquals(parts("hf:a/b.c@refs/pr/1#d e"), ["a/b.c", "refs/pr/1", "d e"]);
  for (const wrong of ["hf:", "hf:a/b/c", "hf:/a", "hf:../a", "hf:a/..", "hf:a@", "hf:a:test"]) {
    assertEquals(parts(wrong), [], wrong);
  }
});
