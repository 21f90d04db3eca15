/**
 * The monotone fit of least squares, by pooling adjacent violators (Ayer et al. 1955).
 *
 * @module
 */

/** The nondecreasing values nearest to `values` in mean square; `weights` are 1 unless given. */
export function isotonicFit(
  values: readonly number[],
  weights: readonly number[] = values.map(() => 1),
): number[] {
  const pools: { mean: number; weight: number; size: number }[] = [];
  values.forEach((value, i) => {
    let pool = { mean: value, weight: weights[i]!, size: 1 };
    for (let before = pools.at(-1); before && before.mean > pool.mean; before = pools.at(-1)) {
      const weight = before.weight + pool.weight;
      const mean = (before.mean * before.weight + pool.mean * pool.weight) / weight;
      pool = { mean, weight, size: before.size + pool.size };
      pools.pop();
    }
    pools.push(pool);
  });
  return pools.flatMap(({ mean, size }) => Array<number>(size).fill(mean));
}
