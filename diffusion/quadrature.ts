/**
 * Integrals of smooth functions, for solvers whose coefficients are integrals of polynomials.
 *
 * @module
 */

/** Gauss and Legendre's eight places in [-1, 1] by their distance from 0, and their weights. */
const GAUSS: readonly (readonly [place: number, weight: number])[] = [
  [0.18343464249564978, 0.36268378337836166],
  [0.525532409916329, 0.3137066458778869],
  [0.7966664774136267, 0.22238103445337443],
  [0.9602898564975362, 0.10122853629037706],
];

/** The integral of `f` over [from, to]: exact for polynomials up to degree 15. */
export function integrate(f: (at: number) => number, from: number, to: number): number {
  const half = (to - from) / 2, middle = (to + from) / 2;
  return GAUSS.reduce(
    (sum, [place, weight]) =>
      sum + half * weight * (f(middle - half * place) + f(middle + half * place)),
    0,
  );
}

/** The value at `at` of the polynomial that is 1 at node `own` and 0 at the others. */
export function lagrange(nodes: readonly number[], own: number, at: number): number {
  return nodes.reduce(
    (product, node, k) => k === own ? product : product * (at - node) / (nodes[own]! - node),
    1,
  );
}
