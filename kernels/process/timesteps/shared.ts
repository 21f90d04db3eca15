/**
 * What kernels that draw timesteps share: they use the first two random words of a sample; see
 * philox.ts.
 *
 * @module
 */
import { FLAT_INDEX } from "../../shared/grid.ts";
import { DISTRIBUTIONS, PHILOX, RANDOM_WORDS } from "../../shared/philox.ts";

/** WGSL of random numbers. */
export const RANDOM = `${FLAT_INDEX}${PHILOX}${DISTRIBUTIONS}${RANDOM_WORDS}`;

/** WGSL: the head of `main`, with the words of sample n. */
export const MAIN = `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flatInvocation(global, groups);
  if (n >= params.items) { return; }
  let words = randomWords(n, 0u);`;

/** How many timesteps to draw, and from which stream. */
export interface TimestepDraw {
  readonly samples: number;
  readonly stream: number;
}
