/**
 * Runs of an experiment in processes of their own, a few at a time. One that dies is taken up again from
 * its newest checkpoint.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Override } from "../../config/load.ts";

/** Times that a run is started at most. */
const ATTEMPTS = 3;

/** What the processes are told. */
export interface WorkerOptions {
  /** Path of the experiment. */
  readonly file: string;
  readonly overrides: readonly Override[];
  /** Processes at a time. */
  readonly jobs: number;
  /** Aborted when no more should be started, and those at work should end. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** Path of what a process runs; the experiment's command unless given. */
  readonly script?: string;
}

const COMMAND = fileURLToPath(new URL("./main.ts", import.meta.url));

/**
 * Does the runs of these names, and tells which were given up.
 *
 * @returns Names of the runs that failed as often as they may.
 */
export async function runWorkers(
  names: readonly string[],
  options: WorkerOptions,
): Promise<string[]> {
  const waiting = [...names], failed: string[] = [];
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      if (options.signal.aborted) return;
      if (!await attempted(name, options)) failed.push(name);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, names.length) }, worker));
  return failed;
}

/** Whether a run was done, or was asked to stop, within its attempts. */
async function attempted(name: string, options: WorkerOptions): Promise<boolean> {
  const { signal, say } = options;
  for (let attempt = 1;; attempt++) {
    say(`${name}: ${attempt === 1 ? "begins" : `goes on, attempt ${attempt}`}`);
    const code = await runProcess(name, options);
    if (code === 0 || signal.aborted) return true;
    // Wrong use, and a loss that is not finite, are the same however often they are tried.
    const hopeless = code === 2 || code === FAILED;
    if (hopeless || attempt === ATTEMPTS) {
      say(`${name}: given up, its process ended with code ${code}`);
      return false;
    }
    say(`${name}: its process ended with code ${code}`);
  }
}

/** Exit code of a run that would fail again. */
export const FAILED = 3;

async function runProcess(
  name: string,
  { file, overrides, signal, say, script = COMMAND }: WorkerOptions,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", script],
      ...[file, "--only", name, ...overrides.map(([key, value]) => `--${key}=${value}`)],
    ],
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const stop = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  const told = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line !== "") say(`${name}: ${line}`);
    }
    if (rest !== "") say(`${name}: ${rest}`);
  };
  try {
    await Promise.all([told(child.stdout), told(child.stderr)]);
    return (await child.status).code;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
