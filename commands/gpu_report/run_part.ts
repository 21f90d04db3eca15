/**
 * A part of the report: one of the project's commands in a process of its own, so that a driver that
 * crashes or hangs ends that part alone.
 *
 * @module
 */

/** What is run. */
export interface Part {
  /** A word for files and progress. */
  readonly name: string;
  /** A heading. */
  readonly title: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  /** Variables of the environment besides those that there are. */
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds after which it is cut. */
  readonly seconds: number;
  /** Lines for a person, and what a program may read, from what it printed. */
  readonly read: (output: PartOutput) => PartFindings | Promise<PartFindings>;
}

/** How a part ended. */
export interface PartOutput {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; null where it was cut. */
  readonly code: number | null;
  readonly seconds: number;
}

/** What is found in the output of a part. */
export interface PartFindings {
  /** Markdown. */
  readonly text: string;
  readonly data: unknown;
}

/** A part that has been run. */
export interface PartResult extends PartFindings {
  readonly name: string;
  readonly title: string;
  readonly command: string;
  readonly status: "ok" | "failed" | "cut";
  readonly seconds: number;
}

/** Lines of an output that are kept where nothing better is found in it. */
const LAST_LINES = 20;

/** Milliseconds from being asked to end to being ended. */
const GRACE_MS = 3000;

/**
 * Runs a part.
 *
 * @param cwd The project.
 * @param seconds What is left for it, where that is less than its own time.
 */
export async function runPart(part: Part, cwd: string, seconds: number): Promise<PartResult> {
  const { name, title, args, env = {}, read } = part;
  const output = await runFor(args, { cwd, env, seconds: Math.min(part.seconds, seconds) });
  const status = output.code === null ? "cut" : output.code === 0 ? "ok" : "failed";
  let findings: PartFindings;
  try {
    findings = await read(output);
  } catch {
    // A part that ended early has printed less than is looked for.
    findings = { text: "", data: null };
  }
  const told = status === "ok" ? [findings.text] : [findings.text, lastLines(output)];
  const variables = Object.entries(env).map(([key, value]) => `${key}=${value} `).join("");
  return {
    ...{ name, title, status, seconds: output.seconds, data: findings.data },
    text: told.filter((text) => text !== "").join("\n\n"),
    command: `${variables}deno ${args.join(" ")}`,
  };
}

function lastLines({ stdout, stderr }: PartOutput): string {
  const lines = [...stdout.trimEnd().split("\n"), ...stderr.trimEnd().split("\n")]
    .filter((line) => line !== "");
  return ["```", ...lines.slice(-LAST_LINES), "```"].join("\n");
}

interface RunOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly seconds: number;
}

async function runFor(args: readonly string[], options: RunOptions): Promise<PartOutput> {
  const { cwd, env, seconds } = options, begun = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    ...{ cwd, env: { NO_COLOR: "1", ...env } },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  let cut = false;
  const timers = [
    setTimeout(() => {
      cut = true;
      child.kill("SIGTERM");
    }, 1e3 * seconds),
    setTimeout(() => child.kill("SIGKILL"), 1e3 * seconds + GRACE_MS),
  ];
  const { code, stdout, stderr } = await child.output();
  for (const timer of timers) clearTimeout(timer);
  const decoder = new TextDecoder();
  return {
    ...{ stdout: decoder.decode(stdout), stderr: decoder.decode(stderr), code: cut ? null : code },
    seconds: (performance.now() - begun) / 1e3,
  };
}
