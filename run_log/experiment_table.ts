/**
 * What an experiment found, as it wrote it to its folder.
 *
 * @module
 */
import { join } from "node:path";
import { UsageError } from "../support/errors.ts";
import type { Comparison } from "./comparisons.ts";
import { jsonOf } from "./read_run.ts";

/** What an experiment writes when runs are done. */
export interface ExperimentTable {
  readonly name: string;
  readonly about: string;
  readonly comparisons: readonly Comparison[];
}

/**
 * The table in a folder; null where there is none.
 *
 * @throws {UsageError} When its file is damaged.
 */
export async function readTable(dir: string): Promise<ExperimentTable | null> {
  const path = join(dir, "table.json");
  const table = await jsonOf(path) as Partial<ExperimentTable> | null;
  if (table === null) return null;
  if (!Array.isArray(table.comparisons)) {
    throw new UsageError(`Cannot read ${path}: comparisons must be a list`);
  }
  return table as ExperimentTable;
}
