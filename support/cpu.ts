/**
 * What the CPU can do, as far as it changes how fast the kernels of a CPU driver are.
 *
 * @module
 */

/** Vector instructions, widest first, by their flags in /proc/cpuinfo. */
const VECTORS = [["avx512", "avx512vl"], ["avx2", "avx2"], ["avx", "avx"], [
  "sse",
  "sse2",
]] as const;

/** Widest vector instructions of the CPU; undefined where nothing tells. */
export type CpuVectors = typeof VECTORS[number][0];

/** Those that a text such as /proc/cpuinfo names. */
export function vectorsOf(cpuinfo: string): CpuVectors | undefined {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  return VECTORS.find(([, flag]) => flags.has(flag))?.[0];
}

/** Those of this machine's CPU. */
export function cpuVectors(): CpuVectors | undefined {
  try {
    return vectorsOf(Deno.readTextFileSync("/proc/cpuinfo"));
  } catch {
    // Not Linux, or not allowed.
    return undefined;
  }
}
