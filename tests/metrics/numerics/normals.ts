/**
 * Standard normals for tests of statistics.
 *
 * @module
 */
import { randomStream } from "../../../data/random_stream.ts";

/** `count` of them, always the same for a seed. */
export function normals(seed: number, count: number): Float64Array {
  const random = randomStream(seed, 0, 0);
  return Float64Array.from({ length: count }, () => random.normal());
}
