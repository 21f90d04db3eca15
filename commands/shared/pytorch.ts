/**
 * `bench --pytorch`: the same steps in a PyTorch that is there, in the modes that it and the card can do.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { UsageError } from "../../support/errors.ts";
import { formatTable } from "../../support/terminal.ts";

const SCRIPT = fileURLToPath(new URL("../../bench/pytorch_step.py", import.meta.url));

/** A measurement of ours. */
export interface Measured {
  readonly case: string;
  /** Milliseconds of a call. */
  readonly ms?: number;
}

/** A line of the script: a time, or why there is none. */
export interface PyTorchLine {
  readonly case: string;
  readonly mode: string;
  /** Milliseconds of a step, the median. */
  readonly ms?: number;
  /** Peak of the card's memory. */
  readonly mib?: number | null;
  readonly error?: string;
  readonly device: string;
  readonly version: string;
}

/** Pythons that are tried: the named one, the first on PATH, the system's. */
function pythons(): string[] {
  const named = Deno.env.get("DIFFRACT_PYTHON");
  return named ? [named] : ["python3", "/usr/bin/python3"];
}

/**
 * A Python that has PyTorch.
 *
 * @throws {UsageError} When none has.
 */
export async function findPyTorch(): Promise<string> {
  const tried = pythons();
  for (const python of tried) {
    try {
      const { success } = await run(python, ["-c", "import torch"]).output();
      if (success) return python;
    } catch {
      // No such program.
    }
  }
  throw new UsageError(
    `Cannot compare with PyTorch: ${tried.join(" or ")} must be a Python that imports torch; ` +
      "DIFFRACT_PYTHON names another",
  );
}

function run(python: string, args: readonly string[]): Deno.Command {
  const threads = `${navigator.hardwareConcurrency}`;
  return new Deno.Command(python, {
    args: [...args],
    env: { OMP_NUM_THREADS: Deno.env.get("OMP_NUM_THREADS") ?? threads },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** The cases of one kernel, or of the peers' step, that the script knows by their names. */
export const PYTORCH_KERNELS: readonly string[] = [
  ...[
    "matmul768",
    "conv2d_fwd",
    "conv2d_fwd_bwd",
    "silu4M",
    "group_norm_fwd",
    "group_norm_fwd_bwd",
  ],
  ...["adam_ema", "fft2", "attention_fwd_bwd", "ddpm_step"],
];

/** A network as the script takes it, or the name of a kernel. */
export interface PyTorchCase {
  readonly name: string;
}

/**
 * Measures steps in PyTorch.
 *
 * @param seconds How long each is repeated.
 * @throws {Error} When the script fails; the message has its last line.
 */
export async function measurePyTorch(
  python: string,
  cases: readonly PyTorchCase[],
  seconds: number,
): Promise<PyTorchLine[]> {
  const args = [SCRIPT, JSON.stringify(cases), `${seconds}`];
  const { success, stdout, stderr } = await run(python, args).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(
      `Cannot measure PyTorch: ${decoder.decode(stderr).trim().split("\n").at(-1) || "it ended"}`,
    );
  }
  return decoder.decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}

/** A row of the comparison. */
export interface PyTorchRatio {
  readonly case: string;
  readonly mode: string;
  /** Milliseconds of a step. */
  readonly diffract: number;
  readonly pytorch: number;
  /** PyTorch's time by ours: above 1, ours is faster. */
  readonly ratio: number;
}

/** Sets our steps beside PyTorch's of the same names. */
export function pytorchRatios(
  measurements: readonly Measured[],
  lines: readonly PyTorchLine[],
): PyTorchRatio[] {
  return lines.flatMap(({ case: name, mode, ms }) => {
    const ours = measurements.find((it) => it.case === name)?.ms;
    if (ours === undefined || ms === undefined) return [];
    return [{ case: name, mode, diffract: ours, pytorch: ms, ratio: ms / ours }];
  });
}

/** The comparison for a person, and what PyTorch could not do. */
export function pytorchTable(
  measurements: readonly Measured[],
  lines: readonly PyTorchLine[],
): string {
  const rows = pytorchRatios(measurements, lines).map((row) => [
    row.case,
    row.mode,
    row.diffract.toPrecision(4),
    row.pytorch.toPrecision(4),
    row.ratio.toPrecision(3),
  ]);
  const head = lines[0] ? `PyTorch ${lines[0].version} on ${lines[0].device}:\n` : "";
  const failures = lines.flatMap(({ case: name, mode, error }) =>
    error === undefined ? [] : [`${name}, ${mode}: ${error}`]
  );
  const table = formatTable(
    ["case", "PyTorch's mode", "Diffract, ms", "PyTorch, ms", "PyTorch / Diffract"],
    rows,
  );
  return [head + table, ...failures].join("\n");
}
