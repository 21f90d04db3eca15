import { join } from "node:path";
import { decodePng } from "../../../formats/png.ts";
import { UsageError } from "../../../support/errors.ts";
import { ImageFolder } from "../../../commands/sample/image_folder.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

const FACTS = { checkpoint: "abc", sampler: { name: "ddim", steps: 4 }, seed: 0 };
const NOTES = { adapter: "one" };
const SIZE = { height: 2, width: 3, channels: 1 };

function open(path: string, facts: Record<string, unknown> = FACTS, notes = NOTES) {
  const lines: string[] = [];
  return ImageFolder.open(path, facts, notes, (line) => lines.push(line))
    .then((folder) => ({ folder, lines }));
}

Deno.test("ImageFolder.open() makes a folder and knows its images when it is opened again", () =>
  inFolder(async (root) => {
    const path = join(root, "a", "b");
    const { folder } = await open(path);
    assertEquals(folder.present, new Set());
    const data = Uint8Array.of(0, 1, 2, 253, 254, 255);
    await folder.write("000007", data, SIZE);
    const again = await open(path);
    assertEquals([again.folder.present, again.lines], [new Set(["000007"]), []]);
    assertEquals(decodePng(await Deno.readFile(join(path, "000007.png"))), { ...SIZE, data });
  }));

Deno.test("ImageFolder.open() refuses another setting and names it", () =>
  inFolder(async (root) => {
    await open(root);
    const cases: [Record<string, unknown>, string][] = [
      [
        { ...FACTS, checkpoint: "abd" },
        'checkpoint must be "abc" as in its manifest.json, got "abd"',
      ],
      [{ ...FACTS, sampler: { name: "ddim", steps: 5 } }, '"steps":4} as in its manifest.json'],
      [{ ...FACTS, seed: 1 }, "seed must be 0 as in its manifest.json, got 1"],
      [{ ...FACTS, jump: 1 }, "jump must be none as in its manifest.json, got 1"],
      [{ checkpoint: "abc", sampler: FACTS.sampler, seeds: [5] }, "seed must be 0"],
    ];
    for (const [facts, part] of cases) {
      await assertRejects(() => open(root, facts), UsageError, part);
    }
    const { lines } = await open(root, FACTS, { adapter: "two" });
    assertEquals(lines, ["The adapter is now two, it was one: last bits may differ"]);
  }));

Deno.test("ImageFolder.open() refuses folders with images of unknown making", () =>
  inFolder(async (root) => {
    await Deno.writeTextFile(join(root, "photo.png"), "");
    await assertRejects(() => open(root), UsageError, "it has PNGs without one");
    assertEquals([...Deno.readDirSync(root)].length, 1);
    const file = join(root, "photo.png");
    await assertRejects(() => open(file), UsageError, "it must be a folder, it is a file");
    const manifest = join(root, "manifest.json");
    await Deno.writeTextFile(manifest, "{");
    await assertRejects(() => open(root), UsageError, `Cannot read the manifest ${manifest}: `);
    await Deno.remove(manifest);
    await Deno.mkdir(manifest);
    const folder =
      `Cannot read the manifest ${manifest}: the path must name a file, it is a folder`;
    await assertRejects(() => open(root), UsageError, folder);
    await Deno.remove(manifest);
    await Deno.writeTextFile(manifest, '{"format": "other"}');
    await assertRejects(() => open(root), UsageError, 'got "other"');
  }));

Deno.test("ImageFolder.checkLacking() refuses a folder that what is missing can't be written to", () =>
  inFolder(async (root) => {
    const path = join(root, "images");
    await open(path);
    await Deno.writeTextFile(join(path, "000001.png"), "");
    const { folder } = await open(path);
    await folder.checkLacking(["000001", "000002"]);
    await Deno.remove(path, { recursive: true });
    await Deno.writeTextFile(path, "");
    await folder.checkLacking(["000001"]);
    await assertRejects(() => folder.checkLacking(["000001", "000002"]), UsageError, `${path}: `);
  }));

Deno.test("ImageFolder.open() removes what a killed process was writing, and counts it for nothing", () =>
  inFolder(async (root) => {
    await open(root);
    await Deno.writeTextFile(join(root, ".000003.png.99.1.tmp"), "half");
    const { folder } = await open(root);
    assertEquals(folder.present.size, 0);
    const names = [...Deno.readDirSync(root)].map(({ name }) => name);
    assertEquals(names, ["manifest.json"]);
    assertStringIncludes(await Deno.readTextFile(join(root, "manifest.json")), '"seed": 0');
  }));
