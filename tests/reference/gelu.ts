/** erf to f64 round-off: a series of positive terms (Abramowitz and Stegun 7.1.6). */
export function erfReference(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; n < 200; n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

/** GELU in f64. */
export function geluReference(x: number, approximate: "none" | "tanh"): number {
  const u = approximate === "none"
    ? erfReference(x / Math.SQRT2)
    : Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
  return 0.5 * x * (1 + u);
}
