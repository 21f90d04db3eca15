import { join } from "node:path";
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { setVariantPolicy, type Variant, variantPolicy } from "../../../kernels/shared/variants.ts";
import {
  applyTuning,
  fileOf,
  keepChoices,
  knownChoices,
  type TuningContext,
  writeChoices,
} from "../../../commands/shared/tuning_tables.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { restorePolicy, testGpu } from "../../support/gpu.ts";

/** An op whose default takes ten passes and its other variant one. */
function exampleOps(gpu: Gpu): Map<string, readonly Variant[]> {
  const x = new Capture(gpu, "never planned").transient([1 << 18], "x");
  const variant = (family: "plain" | "tiled", count: number): Variant => ({
    family,
    name: `${family}${count}`,
    record(capture) {
      let y = x;
      for (let i = 0; i < count; i++) y = scaleForward(capture, y, 2);
      return y;
    },
  });
  return new Map([["op", [variant("tiled", 10), variant("tiled", 1), variant("plain", 50)]]]);
}

/** Runs `body` with a context over a folder of its own and the default policy. */
async function withFolder(
  body: (
    context: (given: Partial<TuningContext>) => TuningContext,
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  const gpu = await testGpu();
  const folder = await Deno.makeTempDir();
  const base = { gpu, mode: "cached", ops: exampleOps(gpu), say: () => {} } as const;
  const folders = { userFolder: join(folder, "cache"), shippedFolder: join(folder, "shipped") };
  try {
    setVariantPolicy(gpu, {});
    await body((given) => ({ ...base, ...folders, ...given }), folder);
  } finally {
    restorePolicy(gpu);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("applyTuning() measures once, keeps the result and takes it from there", async () => {
  await withFolder(async (context) => {
    const choice = async (given: Partial<TuningContext>) =>
      [...await applyTuning(context(given))].join();
    assertEquals(await choice({}), "op,tiled10");
    const said: string[] = [];
    assertEquals(await choice({ mode: "full", say: (line) => void said.push(line) }), "op,tiled1");
    assertEquals(said.length, 1);
    assertEquals(await choice({ mode: "full", say: () => assert(false) }), "op,tiled1");
    assertEquals(await choice({ mode: "cached" }), "op,tiled1");
    assertEquals(await choice({ mode: "off" }), "op,tiled10");
    assertEquals(variantPolicy(await testGpu()).table?.get("op"), "tiled10");
  });
});

Deno.test("applyTuning() obeys the choices of a run that goes on, whatever the mode", async () => {
  await withFolder(async (context, folder) => {
    const recorded = join(folder, "tuning.json");
    await writeChoices(await testGpu(), recorded, new Map([["op", "plain50"], ["other", "x"]]));
    for (const mode of ["off", "cached", "full"] as const) {
      assertEquals([...await applyTuning(context({ mode, recorded }))], [["op", "plain50"]]);
    }
  });
});

Deno.test("applyTuning() passes over files that are missing, damaged or of another adapter", async () => {
  await withFolder(async (context, folder) => {
    const recorded = join(folder, "tuning.json");
    const other = JSON.stringify({ adapter: "another card", choices: { op: "plain50" } });
    const gpu = await testGpu();
    await writeChoices(gpu, recorded, new Map([["op", "plain50"]]));
    const written = JSON.parse(await Deno.readTextFile(recorded));
    const gone = JSON.stringify({ ...written, choices: { op: "tiled99", a: 1 } });
    const otherDriver = JSON.stringify({ ...written, limits: "12345678" });
    await Deno.remove(recorded);
    for (const text of [undefined, "", "[]", "null", "{}", other, otherDriver, gone]) {
      if (text !== undefined) await Deno.writeTextFile(recorded, text);
      assertEquals([...await applyTuning(context({ recorded }))], [["op", "tiled10"]], text);
    }
  });
});

Deno.test("knownChoices() prefers what the user measured to what comes with the project", async () => {
  await withFolder(async (context, folder) => {
    const gpu = await testGpu();
    const [userFolder, shippedFolder] = [join(folder, "cache"), join(folder, "shipped")];
    await keepChoices(gpu, new Map([["op", "tiled1"], ["other", "x"]]), shippedFolder);
    assertEquals([...await applyTuning(context({}))], [["op", "tiled1"]]);
    assertEquals([...await applyTuning(context({ mode: "off" }))], [["op", "tiled10"]]);
    await keepChoices(gpu, new Map([["op", "plain50"]]), userFolder);
    assertEquals([...await applyTuning(context({}))], [["op", "plain50"]]);
    const both = await knownChoices(gpu, { userFolder, shippedFolder });
    assertEquals([...both], [["op", "plain50"], ["other", "x"]]);
    // What came with the project stays there alone.
    const { ops } = context({});
    const more = new Map([...ops, ["new", ops.get("op")!.slice(0, 1)] as const]);
    await applyTuning(context({ mode: "full", ops: more }));
    const kept = JSON.parse(await Deno.readTextFile(join(userFolder, fileOf(gpu)))).choices;
    assertEquals(kept, { new: "tiled10", op: "plain50" });
  });
});

Deno.test("keepChoices() keeps what the table says of other ops", async () => {
  await withFolder(async (_, folder) => {
    const gpu = await testGpu();
    await keepChoices(gpu, new Map([["a", "1"], ["b", "1"]]), folder);
    const file = await keepChoices(gpu, new Map([["b", "2"]]), folder);
    assertEquals(file, join(folder, fileOf(gpu)));
    assertEquals(JSON.parse(await Deno.readTextFile(file)).choices, { a: "1", b: "2" });
  });
});

Deno.test("keepChoices() and knownChoices() keep to the cache folder that DIFFRACT_CACHE names", async () => {
  const gpu = await testGpu();
  await inFolder(async (folder) => {
    const before = Deno.env.get("DIFFRACT_CACHE");
    Deno.env.set("DIFFRACT_CACHE", folder);
    try {
      const file = await keepChoices(gpu, new Map([["op", "tiled1"]]));
      assertEquals(file, join(folder, "tuning", fileOf(gpu)));
      const known = await knownChoices(gpu, { shippedFolder: join(folder, "none") });
      assertEquals([...known], [["op", "tiled1"]]);
    } finally {
      if (before === undefined) Deno.env.delete("DIFFRACT_CACHE");
      else Deno.env.set("DIFFRACT_CACHE", before);
    }
  });
});
