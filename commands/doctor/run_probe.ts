/**
 * Runs probe.ts in a process of its own, so that a driver that aborts, crashes or hangs ends that
 * process and not the examination.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Area, Finding } from "./finding.ts";

/** A line of the probe. */
export type ProbeLine = { readonly stage: string } | { readonly finding: Finding };

/** What {@linkcode runProbe} may be told. */
export interface ProbeOptions {
  /** Arguments of probe.ts. */
  readonly args: readonly string[];
  /** Where a failure of the whole belongs. */
  readonly area: Area;
  /** What a person should do when the probe fails. */
  readonly remedy: string;
  /** Milliseconds without a line after which the probe counts as hung. Default four minutes. */
  readonly patience?: number;
  /** Another script; for tests. */
  readonly script?: string;
}

const PATIENCE = 240_000;

/** What the probe finds, and as the last finding how it failed if it did. */
export async function* runProbe(options: ProbeOptions): AsyncGenerator<Finding> {
  const { args, area, remedy, patience = PATIENCE } = options;
  const script = options.script ?? fileURLToPath(new URL("./probe.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", script, ...args],
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaints = new Response(child.stderr).text();
  let stage = "starting", hung = false, timer: ReturnType<typeof setTimeout> | undefined;
  const beAlert = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      hung = true;
      child.kill("SIGKILL");
    }, patience);
  };
  beAlert();
  for await (const text of linesOf(child.stdout)) {
    beAlert();
    const line = parseLine(text);
    if (line === null) continue;
    if ("stage" in line) stage = line.stage;
    else yield line.finding;
  }
  const status = await child.status;
  clearTimeout(timer);
  if (status.success) return;
  const reason = hung
    ? `gave no answer for ${patience / 1000} s`
    : reasonIn(await complaints) ?? endOf(status);
  yield { area, name: stage, status: "fail", text: reason, remedy };
}

function endOf({ signal, code }: Deno.CommandStatus): string {
  return signal === null ? `ended with exit code ${code}` : `crashed (${signal})`;
}

/** What the process said last, without traces and what drivers say about their surroundings. */
function reasonIn(text: string): string | undefined {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) =>
    line !== "" && !/^at |XDG_RUNTIME_DIR|RUST_BACKTRACE|^note: run with/.test(line)
  );
  const panic = lines.findIndex((line) => / panicked at /.test(line));
  return panic >= 0 ? lines[panic + 1] ?? lines[panic] : lines.at(-1);
}

function parseLine(text: string): ProbeLine | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
