/**
 * Gradients of f64 references by central differences.
 *
 * @module
 */

/** d sum(dy f(x)) / dx[which], element by element. */
export function finiteDifference(
  f: (inputs: Float64Array[]) => ArrayLike<number>,
  inputs: readonly ArrayLike<number>[],
  which: number,
  dy: ArrayLike<number>,
  step = 1e-5,
): Float64Array {
  const values = inputs.map((input) => Float64Array.from(input));
  const x = values[which]!;
  const objective = () => {
    const y = f(values);
    let total = 0;
    for (let i = 0; i < y.length; i++) total += y[i]! * dy[i]!;
    return total;
  };
  return x.map((value, i) => {
    x[i] = value + step;
    const above = objective();
    x[i] = value - step;
    const below = objective();
    x[i] = value;
    return (above - below) / (2 * step);
  });
}
