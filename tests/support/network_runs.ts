/**
 * What every network must do: train from a config, stop and go on to the same bytes.
 *
 * @module
 */
import { join } from "node:path";
import { parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { readSafetensors } from "../../formats/safetensors.ts";
import { stepName } from "../../training/checkpoint.ts";
import { assertEquals } from "./assert.ts";
import { inFolder } from "./folder.ts";
import { trainInFolder } from "./runs.ts";

const CONFIG = {
  data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
  diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
  train: { steps: 4, batchSize: 4, sampleCount: 4, evalEvery: 4, evalCount: 4, logEvery: 1 },
};

/** A small run of a network. */
export function smallRun(
  model: Readonly<Record<string, unknown>>,
  data: Readonly<Record<string, unknown>> = {},
): Config {
  const tree = { ...CONFIG, model, data: { ...CONFIG.data, ...data } };
  return parseConfig(JSON.stringify(tree), { path: "test" });
}

/** A run that has ended. */
export interface EndedRun {
  /** What was said of it. */
  readonly said: string;
  /** Values of its last checkpoint. */
  readonly tensors: ReadonlyMap<string, ArrayLike<number | bigint>>;
}

/** Trains a network at once and in two parts, and fails unless both end in the same bytes. */
export async function checkResumed(config: Config): Promise<EndedRun> {
  let ended: EndedRun | undefined;
  await inFolder(async (folder) => {
    const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
    const { lines } = await trainInFolder(config, whole);
    await trainInFolder(config, parts, { stopAfter: 2 });
    const { step, finished } = await trainInFolder(config, parts, { resume: true });
    assertEquals([step, finished], [4, true]);
    const bytes = (run: string) =>
      Deno.readFile(join(run, "checkpoints", `${stepName(4)}.safetensors`));
    const last = await bytes(whole);
    assertEquals(await bytes(parts), last);
    const { tensors } = readSafetensors(last);
    ended = {
      said: lines.join("\n"),
      tensors: new Map(Array.from(tensors, ([name, { data }]) => [name, data])),
    };
  });
  return ended!;
}
