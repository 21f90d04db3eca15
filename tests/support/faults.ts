/**
 * Runs that meet faults, and what must be true of them afterwards.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Checkpoint, listCheckpoints, stepName } from "../../training/checkpoint.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import { errorLines, ROOT, runScript, type ScriptResult } from "./runs.ts";

/** What a run need not write to meet faults. */
export const QUIET = ["train.sampleEvery=0", "train.evalEvery=0", "instruments.spectra=false"];
/** The arguments of a small run. */
export const SMOKE = ["--config", `${ROOT}config/smoke.json`];

/** Trains the small run by its command. */
export function train(dir: string, ...args: string[]): Promise<ScriptResult> {
  return runScript("train.ts", [...SMOKE, `--run.dir=${dir}`, ...args]);
}

/** Fails unless a script ended with one line of error and a code. */
export function assertOneLine(result: ScriptResult, code = 1): string {
  // Progress goes to standard error as well.
  const lines = errorLines(result).filter((line) => !/^train +\d/.test(line));
  assertEquals([result.code, lines.length], [code, 1], `${result.out}\n${result.err}`);
  assertMatch(lines[0]!, /^error: /);
  return lines[0]!;
}

/** Where a step's checkpoint is. */
export function checkpointPath(dir: string, step: number): string {
  return join(dir, "checkpoints", `${stepName(step)}.safetensors`);
}

/** Names below a folder, those of hidden files included. */
export function namesBelow(dir: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory }) =>
    isDirectory ? namesBelow(join(dir, name)).map((inner) => `${name}/${inner}`) : [name]
  ).sort();
}

/** Fails unless every line of a run's log is whole and is an event. */
export function assertWholeLog(dir: string): void {
  const text = Deno.readTextFileSync(join(dir, "log.jsonl"));
  assert(text.endsWith("\n"), "the last line is torn");
  for (const line of text.trimEnd().split("\n")) assert(JSON.parse(line).step > 0);
}

/** Fails unless a folder holds whole checkpoints of these steps, newest first, and nothing torn. */
export async function assertSaved(dir: string, steps: readonly number[]): Promise<void> {
  const found = await listCheckpoints(join(dir, "checkpoints"));
  assertEquals(found.map(({ step }) => step), steps);
  for (const { path } of found) await Checkpoint.open(path);
  assertEquals(namesBelow(dir).filter((name) => name.endsWith(".tmp")), []);
  assertWholeLog(dir);
}

/** Fails unless a run that met a fault ends as one that met none. */
export async function assertSameEnd(dir: string, whole: string, step: number): Promise<void> {
  const [a, b] = await Promise.all(
    [dir, whole].map((it) => Deno.readFile(checkpointPath(it, step))),
  );
  assert(Buffer.compare(a!, b!) === 0, "the checkpoints differ");
}
