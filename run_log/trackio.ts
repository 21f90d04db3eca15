/**
 * Runs in the database of Trackio: one SQLite file a project, with the tables and columns that its
 * documentation lists (gradio-app/trackio, docs/source/storage_schema.md). Trackio adds columns of
 * its later versions when it opens the file.
 *
 * @module
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UsageError } from "../support/errors.ts";
import type { TrackedRun } from "./tracked_run.ts";

const TABLES = `
  CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    run_name TEXT NOT NULL,
    step INTEGER NOT NULL,
    metrics TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS configs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_name TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (run_name)
  );
  CREATE INDEX IF NOT EXISTS idx_metrics_run_step ON metrics (run_name, step);
  CREATE INDEX IF NOT EXISTS idx_configs_run_name ON configs (run_name);
`;

/** A key of a run's config that says who wrote it; Trackio's own begin with _ too. */
const WRITER = "_Exporter", OURS = "diffract";

/** Where a project's runs are: Trackio keeps letters, digits, - and _ of its name. */
export function trackioFile(folder: string, project: string): string {
  return join(folder, `${project.replaceAll(/[^\p{L}\p{N}_-]/gu, "") || "default"}.db`);
}

/**
 * Writes a run; one of the same name that was written before by this is replaced.
 *
 * @param file A database; made where there is none, in a folder that is there.
 * @throws {UsageError} When somebody else's run has the name, or the file is no such database.
 */
export function writeTrackio(file: string, name: string, run: TrackedRun): void {
  try {
    const database = new DatabaseSync(file, { timeout: 30_000 });
    try {
      database.exec("BEGIN IMMEDIATE");
      database.exec(TABLES);
      makeRoom(database, file, name);
      insert(database, name, run);
      database.exec("COMMIT");
    } finally {
      database.close(); // what is not committed is undone
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`Cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Removes what an earlier export wrote of the run. */
function makeRoom(database: DatabaseSync, file: string, name: string): void {
  const stored = database.prepare("SELECT config FROM configs WHERE run_name = ?").get(name);
  const { present } = database
    .prepare("SELECT EXISTS (SELECT 1 FROM metrics WHERE run_name = ?) AS present").get(name)!;
  const ours = stored !== undefined && JSON.parse(String(stored.config))[WRITER] === OURS;
  if (!ours && (stored !== undefined || present === 1)) {
    throw new UsageError(
      `Cannot write run ${name} to ${file}: a run of that name is there that this command has not ` +
        "written; choose another --project or --out",
    );
  }
  database.prepare("DELETE FROM metrics WHERE run_name = ?").run(name);
  database.prepare("DELETE FROM configs WHERE run_name = ?").run(name);
}

function insert(database: DatabaseSync, name: string, { config, rows, begun }: TrackedRun): void {
  const created = isoTime(begun);
  const row = database.prepare(
    "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)",
  );
  for (const { step, time, values } of rows) {
    row.run(isoTime(time), name, step, JSON.stringify(values));
  }
  database.prepare("INSERT INTO configs (run_name, config, created_at) VALUES (?, ?, ?)")
    .run(name, JSON.stringify({ ...config, _Created: created, [WRITER]: OURS }), created);
}

/** As Python's isoformat with a zone. */
function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace("Z", "+00:00");
}
