/**
 * What rounding leaves of sums and products, as WGSL: for the few numbers whose error everything behind
 * them shares. Dekker 1971, "A floating-point technique for extending the available precision"; the sum
 * is Knuth's TwoSum.
 *
 * @module
 */

/**
 * WGSL of `exactSum` and `remainder`.
 *
 * @param zero WGSL of a u32 that is 0 and that no compiler knows to be: they may take (a + b) - a for b,
 * and do so on Mesa, but not across this.
 */
export const exactText = (zero: string) => `
fn rounded(a: f32) -> f32 { return bitcast<f32>(bitcast<u32>(a) ^ (${zero})); }
// a + b, and what is lost of it.
fn exactSum(a: f32, b: f32) -> vec2f {
  let sum = rounded(a + b);
  let other = rounded(sum - a);
  return vec2f(sum, (a - rounded(sum - other)) + (b - other));
}
// c - a b of c near a b, by halves whose products are exact.
fn remainder(c: f32, a: f32, b: f32) -> f32 {
  let ah = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  let bh = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
  let al = a - ah;
  let bl = b - bh;
  return (((c - ah * bh) - ah * bl) - al * bh) - al * bl;
}
`;
