/**
 * Runs whose images are in memory, on the disk, or one after the other.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../../config/schema.ts";
import { Checkpoint } from "../../training/checkpoint.ts";
import { assertEquals } from "./assert.ts";
import { trainInFolder } from "./runs.ts";

/**
 * Trains in one go, and stopped after 5 of 12 steps and resumed with `data.stream` changed, either way: all
 * must end in the same bytes.
 *
 * @param configOf A config of 12 steps with further overrides.
 * @returns What was said in the one go, and its checkpoint.
 */
export async function assertSameWhenStreamed(
  folder: string,
  configOf: (...overrides: string[]) => Promise<Config>,
): Promise<{ lines: string[]; checkpoint: Checkpoint }> {
  const run = async (name: string, first: string[], then: string[] | null) => {
    const dir = join(folder, name), options = { instruments: true };
    const config = await configOf(...first);
    if (then) await trainInFolder(config, dir, { ...options, stopAfter: 5 });
    const { step, checkpoint, lines } = await trainInFolder(
      then ? await configOf(...then) : config,
      dir,
      { ...options, resume: then !== null },
    );
    assertEquals(step, 12);
    return { checkpoint: await Checkpoint.open(checkpoint), lines };
  };
  const whole = await run("whole", [], null);
  const streamed = ["data.stream=true"];
  for (const [i, [first, then]] of [[streamed, []], [[], streamed]].entries()) {
    const { checkpoint } = await run(`run-${i}`, first!, then!);
    assertEquals(checkpoint.notes, whole.checkpoint.notes);
    for (const [name, { shape }] of whole.checkpoint.tensors) {
      const wanted = await whole.checkpoint.read(name, shape);
      assertEquals(await checkpoint.read(name, shape), wanted, name);
    }
  }
  return whole;
}
