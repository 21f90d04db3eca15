/**
 * torch.linspace in float32 as PyTorch computes it on a CPU with 8-wide vectors, bit for bit.
 *
 * PyTorch fills blocks of eight: a block's base comes from one fused multiply-add (from the start
 * in the first half, from the end in the second), its elements are base + f32(step * lane). What
 * is left after the last whole block is filled one by one with the same multiply-add.
 *
 * @module
 */

const LANES = 8;

/**
 * `count` float32 values from `start` to `end` inclusive.
 *
 * @param count at least 2
 */
export function torchLinspace(start: number, end: number, count: number): Float32Array {
  const first = Math.fround(start), last = Math.fround(end);
  const step = Math.fround(Math.fround(last - first) / (count - 1));
  const half = Math.floor(count / 2);
  const at = (index: number) =>
    index < half
      ? fusedMultiplyAdd(step, index, first)
      : fusedMultiplyAdd(-step, count - 1 - index, last);
  const values = new Float32Array(count);
  const whole = count - count % LANES;
  for (let block = 0; block < whole; block += LANES) {
    const base = at(block);
    for (let lane = 0; lane < LANES; lane++) {
      values[block + lane] = base + Math.fround(step * lane);
    }
  }
  for (let index = whole; index < count; index++) values[index] = at(index);
  return values;
}

const bits = new DataView(new ArrayBuffer(8));

/**
 * a * b + c for float32 a, b and c, rounded once to float32.
 *
 * The product of two 24-bit significands is exact in f64. The sum is rounded to odd, after which
 * rounding to float32 cannot round twice (Boldo and Melquiond 2008, theorem 1: 53 >= 24 + 2).
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const error = (product - (sum - part)) + (c - part); // Knuth's two-sum: product + c = sum + error
  if (error === 0 || !Number.isFinite(sum)) return Math.fround(sum);
  bits.setFloat64(0, sum);
  const pattern = bits.getBigInt64(0);
  if ((pattern & 1n) === 0n) {
    // The neighbour towards the exact value; both it and sum enclose that value, and it is odd.
    bits.setBigInt64(0, pattern + ((error > 0) === (sum > 0) ? 1n : -1n));
  }
  return Math.fround(bits.getFloat64(0));
}
