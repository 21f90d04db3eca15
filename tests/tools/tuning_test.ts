import { join } from "node:path";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { scaleForward } from "../../kernels/scale.ts";
import { setVariantPolicy, type Variant, variantPolicy } from "../../kernels/variants.ts";
import { applyTuning, type TuningContext, writeChoices } from "../../tools/tuning.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

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

/** Runs `body` with a context over a folder of its own and puts the default policy back. */
async function withFolder(
  body: (
    context: (given: Partial<TuningContext>) => TuningContext,
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  const gpu = await testGpu();
  const folder = await Deno.makeTempDir();
  const base = { gpu, mode: "cached", ops: exampleOps(gpu), say: () => {} } as const;
  try {
    await body((given) => ({ ...base, cacheFolder: join(folder, "cache"), ...given }), folder);
  } finally {
    setVariantPolicy(gpu, {});
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
    const { description } = await testGpu();
    const gone = JSON.stringify({ adapter: description, choices: { op: "tiled99", a: 1 } });
    for (const text of [undefined, "", "[]", "null", "{}", other, gone]) {
      if (text !== undefined) await Deno.writeTextFile(recorded, text);
      assertEquals([...await applyTuning(context({ recorded }))], [["op", "tiled10"]], text);
    }
  });
});
