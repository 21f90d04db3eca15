/**
 * `deno task cpu-ceiling`: what code compiled by LLVM reaches in matrix products on this CPU, what each
 * habit of Mesa's CPU driver costs of it, and what the project's kernels reach beside.
 *
 * @module
 */
import { join } from "node:path";
import { openGpu } from "../../device/open_gpu.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { formatTable } from "../../support/terminal.ts";
import { build, cpuFlags, MissingToolError, runSteps, type StepRate, targetsOf } from "./build.ts";

const command = defineCommand({
  name: "cpu-ceiling",
  summary: "Measure what a CPU driver could reach in matrix products, and what stands in its way.",
  description:
    "Compiles ceiling.c, whose steps add one habit of Mesa's CPU driver each, with clang, and sets " +
    "the project's kernels beside. GFLOP/s by the time that the threads ran. Needs Linux on x86-64 " +
    "and Debian's clang.",
  options: {
    threads: {
      value: "N",
      parse: integer({ min: 1, max: 8 }),
      description: "threads; one for each of the CPU's unless given",
    },
    rounds: { value: "N", parse: integer({ min: 1, max: 99 }), default: 9, description: "rounds" },
    kernels: { description: "only the project's kernels" },
    json: { description: "print JSON lines instead of tables" },
  },
  examples: [
    { args: "", does: "measures all vectors that this CPU has; a minute" },
    { args: "--threads 1 --rounds 21", does: "one thread, more rounds" },
  ],
});

/** Vectors that the driver may use, and what its environment says for them. */
const MODES = [
  { name: "SSE 4.1", needs: "sse4_1", env: { GALLIUM_OVERRIDE_CPU_CAPS: "sse4.1" } },
  // What the driver calls avx leaves AVX2 in.
  { name: "AVX2", needs: "avx2", env: { GALLIUM_OVERRIDE_CPU_CAPS: "avx" } },
  { name: "AVX-512, 8 floats", needs: "avx512vl", env: { LP_NATIVE_VECTOR_WIDTH: "256" } },
  { name: "AVX-512, 16 floats", needs: "avx512vl", env: { LP_NATIVE_VECTOR_WIDTH: "512" } },
] as const;

/** GFLOP/s of steps by the name of what they were compiled for. */
type Rates = Map<string, readonly StepRate[]>;

async function measureSteps(threads: number, rounds: number): Promise<Rates> {
  const rates: Rates = new Map();
  const folder = await Deno.makeTempDir({ prefix: "diffract-ceiling-" });
  try {
    for (const target of targetsOf(await cpuFlags())) {
      for (const contract of target.width === 4 ? [false] : [true, false]) {
        const program = join(folder, "ceiling");
        await build(target, contract, program);
        const name = `${target.name}${contract ? ", fused" : ""}`;
        rates.set(name, await runSteps(program, threads, rounds));
      }
    }
  } catch (error) {
    if (error instanceof MissingToolError) throw new UsageError(error.message, { cause: error });
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return rates;
}

async function measureKernels(threads: number, rounds: number): Promise<Rates> {
  const rates: Rates = new Map();
  const flags = await cpuFlags();
  for (const { name, needs, env: vectors } of MODES) {
    if (!flags.has(needs)) continue;
    for (const family of ["subgroup", "texture"]) {
      const env: Record<string, string> = {
        DENO_WEBGPU_BACKEND: "vulkan",
        LP_NUM_THREADS: `${threads}`,
        // The cache does not know of the override.
        MESA_SHADER_CACHE_DISABLE: "1",
        ...vectors,
      };
      const child = new URL("../../bench/cpu_kernels.ts", import.meta.url).href;
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", child, `${rounds}`, `${threads}`, family],
        env,
      }).output();
      const decoder = new TextDecoder();
      if (!success) throw new Error(`Cannot measure kernels: ${decoder.decode(stderr).trim()}`);
      const lines = decoder.decode(stdout).trim().split("\n");
      rates.set(`${name}, ${family}`, lines.map((line) => JSON.parse(line)));
    }
  }
  return rates;
}

/** A column a name, a row a step, each with its share of the first. */
function ratesTable(head: string, rates: Rates): string {
  const steps = [...new Set([...rates.values()].flatMap((list) => list.map(({ step }) => step)))];
  const rows = steps.map((step) => [
    step,
    ...[...rates.values()].map((list) => {
      const rate = list.find((one) => one.step === step)?.gflops;
      return rate === undefined
        ? ""
        : `${rate.toFixed(1)} (${(100 * rate / list[0]!.gflops).toFixed(0)} %)`;
    }),
  ]);
  return formatTable([head, ...rates.keys()], rows);
}

if (import.meta.main) {
  await runCommand(command, async ({ options }) => {
    const { rounds, kernels, json, threads = navigator.hardwareConcurrency } = options;
    const gpu = await openGpu();
    const adapter = gpu.description;
    gpu.destroy();
    const steps = kernels ? new Map() : await measureSteps(threads, rounds);
    const own = await measureKernels(threads, rounds);
    if (json) {
      for (const [vectors, list] of [...steps, ...own]) {
        for (const line of list) {
          console.log(JSON.stringify({ adapter, threads, vectors, ...line }));
        }
      }
      return;
    }
    console.log(`${adapter}, ${threads} threads, GFLOP/s (of the first line)`);
    if (!kernels) console.log(ratesTable("C, compiled by clang", steps));
    console.log(ratesTable("kernels", own));
  });
}
