/**
 * Timesteps by quantiles of a beta distribution, dense at both ends (Lee et al. 2024, arXiv 2407.12173, "Beta
 * sampling is all you need"): an analysis of spectra finds low frequencies to change most in the first steps and
 * high ones in the last, and little between,
 *
 *     t_i = round((T - 1) Q(1 - i / S)),    Q the quantile function of Beta(0.6, 0.6)
 *
 * with the exponents and the rounding of ComfyUI's scheduler `beta`.
 *
 * @module
 */
/** Both exponents. */
const SHAPE = 0.6;
/** Terms of the continued fraction, which is exact to f64 long before. */
const TERMS = 200;

/** Where the timesteps are, as shares of T - 1, descending from 1. */
export function betaShares(steps: number): number[] {
  return Array.from({ length: steps }, (_, i) => symmetricBetaQuantile(1 - i / steps, SHAPE));
}

/**
 * x with I_x(a, a) = u: what a share u of a beta distribution of two like exponents lies below.
 *
 * @param u From 0 to 1.
 * @param a Above 0.
 */
export function symmetricBetaQuantile(u: number, a: number): number {
  if (u > 0.5) return 1 - symmetricBetaQuantile(1 - u, a);
  // As I_1/2 is 1/2, the factor of the fraction needs no gamma function.
  const half = incompleteBeta(0.5, a), wanted = 2 * half * u;
  let low = 0, high = 0.5;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, a) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The integral of (x (1 - x))^(a - 1) from 0 to x <= 1/2: its continued fraction, from the last term on. */
function incompleteBeta(x: number, a: number): number {
  let tail = 1;
  for (let m = TERMS; m >= 1; m--) {
    const even = m * (a - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = -(a + m - 1) * (2 * a + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1));
    tail = 1 + odd / (1 + even / tail);
  }
  return (x * (1 - x)) ** a / (a * tail);
}
