/**
 * Whether the lanes of an adapter are those of a CPU's vectors: kernels that suit one are slow on the
 * other.
 *
 * @module
 */
import type { Gpu } from "./gpu.ts";

/** Widest subgroups that are taken for the vectors of a CPU, whatever the adapter says of itself. */
const NARROW = 8;

/** Widest vectors of a CPU, in floats. */
const WIDEST = 16;

/** Whether `gpu` is a CPU; one without subgroups of one size counts as a card. */
export function isCpu({ subgroupSize, info }: Pick<Gpu, "subgroupSize" | "info">): boolean {
  return subgroupSize > 0 && subgroupSize <= (info.isFallbackAdapter ? WIDEST : NARROW);
}
