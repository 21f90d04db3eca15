/**
 * Builds ceiling.c for each kind of vectors that this CPU has, and runs it.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** Vectors that code is compiled for. */
export interface Target {
  /** Name in tables. */
  readonly name: string;
  /** Floats of a vector. */
  readonly width: 4 | 8 | 16;
  /** Flags of /proc/cpuinfo that the CPU must have. */
  readonly needs: readonly string[];
  /** Options of the compiler. */
  readonly options: readonly string[];
}

const AVX512 = ["avx512f", "avx512vl", "avx512dq", "avx512bw"];
const AVX512_OPTIONS = ["-mavx2", "-mfma", ...AVX512.map((name) => `-m${name}`)];

/**
 * All targets. Mesa's CPU driver has vectors of 8 floats wherever there is AVX, so AVX-512 is there twice:
 * its 32 registers at that width, and what its whole width would bring.
 */
export const TARGETS: readonly Target[] = [
  { name: "SSE 4.1, 4 floats", width: 4, needs: ["sse4_1"], options: ["-msse4.1"] },
  { name: "AVX2, 8 floats", width: 8, needs: ["avx2", "fma"], options: ["-mavx2", "-mfma"] },
  {
    name: "AVX-512, 8 floats",
    width: 8,
    needs: AVX512,
    options: [...AVX512_OPTIONS, "-mprefer-vector-width=256"],
  },
  {
    name: "AVX-512, 16 floats",
    width: 16,
    needs: AVX512,
    options: [...AVX512_OPTIONS, "-mprefer-vector-width=512"],
  },
];

/** Thrown where something must be installed first; the message says what and how. */
export class MissingToolError extends Error {}

const SOURCE = fileURLToPath(new URL("ceiling.c", import.meta.url));

/** The targets that a CPU with these flags, words of /proc/cpuinfo, can run. */
export function targetsOf(flags: ReadonlySet<string>): Target[] {
  return TARGETS.filter(({ needs }) => needs.every((flag) => flags.has(flag)));
}

/** The flags of this machine's CPU; none where they are not told as Linux does. */
export async function cpuFlags(): Promise<Set<string>> {
  const text = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return new Set(/^flags\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/));
}

/**
 * Compiles the steps for a target.
 *
 * @param contract Whether a product and a sum may become one instruction; Mesa's never do.
 * @param output Where the program is written.
 * @param compiler Name or path of clang.
 * @throws {MissingToolError} When there is no clang.
 * @throws {Error} When it refuses.
 */
export async function build(
  target: Target,
  contract: boolean,
  output: string,
  compiler = "clang",
): Promise<void> {
  const { width, options } = target;
  const args = [
    "-O3",
    `-DWIDTH=${width}`,
    ...options,
    `-ffp-contract=${contract ? "fast" : "off"}`,
  ];
  const command = new Deno.Command(compiler, {
    args: [...args, "-o", output, SOURCE, "-pthread", "-lm"],
    stdout: "null",
    stderr: "piped",
  });
  let result;
  try {
    result = await command.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new MissingToolError(`Cannot compile: there must be ${compiler}; apt-get install clang`);
  }
  if (!result.success) {
    throw new Error(
      `Cannot compile for ${target.name}: ${new TextDecoder().decode(result.stderr)}`,
    );
  }
}

/** What one step reached. */
export interface StepRate {
  readonly step: string;
  /** GFLOP/s by the time that the threads ran, the median of the rounds. */
  readonly gflops: number;
  /** The best of the rounds. */
  readonly best: number;
}

/**
 * Runs a program that {@linkcode build} made.
 *
 * @throws {Error} When a step's product is wrong.
 */
export async function runSteps(
  program: string,
  threads: number,
  rounds: number,
): Promise<StepRate[]> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [`${threads}`, `${rounds}`],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot measure: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}
