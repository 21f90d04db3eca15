/**
 * What the spectrum loss compares, as linear combinations of the clean image x0, the noise e and the
 * network's output f, with coefficients a timestep in f64. x_t and x_{t-1} share e:
 *
 *     x_t = sqrt(A_t) x0 + sqrt(1 - A_t) e,  x_{t-1} likewise,  A_{-1} = 1, so x_{-1} = x0
 *
 * With e' the noise that f implies, the prediction y', what it should be, y, and its step
 * coefficient c (the factor of e') are
 *
 *     ddim     y' = sqrt(A_{t-1} / A_t) x_t + c e'    c = sqrt(1 - A_{t-1}) - sqrt(A_{t-1} (1 - A_t) / A_t)
 *     eta      y' = x_t + c e'                        c = sqrt(1 - A_{t-1}) - sqrt(1 - A_t)
 *     x0       y' = x_t / sqrt(A_t) + c e'             c = -sqrt((1 - A_t) / A_t)
 *     epsilon  y' = e'                                c = 1
 *     printed  y' = x_t + c f                         c = sqrt(1 - A_{t-1}) - sqrt(1 - A_{t-1}) = 0
 *
 * with y = x_{t-1}, x_{t-1}, x0, e and x_{t-1}. `ddim` is the exact step of Song et al. 2021
 * (arXiv 2010.02502, equation 12, eta 0): y' = y where e' = e. `eta` leaves the share of x0 in
 * x_{t-1} - x_t out, so it is exact only for small t.
 *
 * The residual y' - y is divided by c: steps near t = 0 are as small as c and would not count. For
 * ddim, x0 and epsilon that makes it e' - e, so on the complex spectrum those three are one loss;
 * they differ where amplitudes are compared.
 *
 * @module
 */
import type { SpectralModeName } from "./spectral_loss_options.ts";
import type { Process } from "./process.ts";
import { CLEAN } from "./schedule.ts";

/** x0 * x_0 + noise * e + output * f; tables [T]. */
export interface SpectralForm {
  readonly x0: Float64Array;
  readonly noise: Float64Array;
  readonly output: Float64Array;
}

/** The forms of one mode. */
export interface SpectralForms {
  /** y'. */
  readonly prediction: SpectralForm;
  /** y; its share of f is zero. */
  readonly truth: SpectralForm;
  /** (y' - y) / c, formed without the cancellation of y' against y. */
  readonly residual: SpectralForm;
  /** What amplitudes' differences are divided by, squared: 1 / c^2. */
  readonly weight: Float64Array;
}

/** The forms of `mode` for the network of a process. */
export function spectralForms(
  { schedule, tables: { toNoise: epsilon } }: Process,
  mode: SpectralModeName,
): SpectralForms {
  const {
    timesteps,
    levels,
    sqrtAlphasCumprod: signal,
    sqrtOneMinusAlphasCumprod: noise,
  } = schedule;
  const table = (value: (t: number) => number) =>
    Float64Array.from({ length: timesteps }, (_, t) => value(t));
  const zeros = table(() => 0);
  const before = {
    x0: table((t) => (levels[t - 1] ?? CLEAN).signal),
    noise: table((t) => (levels[t - 1] ?? CLEAN).noise),
    output: zeros,
  };
  /** base + c e', with base's shares of x0 and e. */
  const step = (c: Float64Array, x0: (t: number) => number, e: (t: number) => number) => ({
    x0: table((t) => x0(t) + c[t]! * epsilon.xt[t]! * signal[t]!),
    noise: table((t) => e(t) + c[t]! * epsilon.xt[t]! * noise[t]!),
    output: table((t) => c[t]! * epsilon.output[t]!),
  });
  /** e' - e, and what else the mode leaves in the residual. */
  const error = (x0: (t: number) => number) => step(table(() => 1), x0, () => -1);
  const weightOf = (c: Float64Array) => c.map((value) => 1 / value ** 2);
  switch (mode) {
    case "ddim": {
      const c = table((t) => before.noise[t]! - before.x0[t]! * noise[t]! / signal[t]!);
      const ratio = (t: number) => before.x0[t]! / signal[t]!;
      return {
        prediction: step(c, (t) => before.x0[t]!, (t) => ratio(t) * noise[t]!),
        truth: before,
        residual: error(() => 0),
        weight: weightOf(c),
      };
    }
    case "eta": {
      const c = table((t) => before.noise[t]! - noise[t]!);
      return {
        prediction: step(c, (t) => signal[t]!, (t) => noise[t]!),
        truth: before,
        residual: error((t) => (signal[t]! - before.x0[t]!) / c[t]!),
        weight: weightOf(c),
      };
    }
    case "x0": {
      const c = table((t) => -noise[t]! / signal[t]!);
      return {
        prediction: step(c, () => 1, (t) => noise[t]! / signal[t]!),
        truth: { x0: table(() => 1), noise: zeros, output: zeros },
        residual: error(() => 0),
        weight: weightOf(c),
      };
    }
    case "epsilon":
      return {
        prediction: step(table(() => 1), () => 0, () => 0),
        truth: { x0: zeros, noise: table(() => 1), output: zeros },
        residual: error(() => 0),
        weight: table(() => 1),
      };
    case "printed":
      return {
        prediction: { x0: signal, noise, output: zeros },
        truth: before,
        residual: {
          x0: table((t) => signal[t]! - before.x0[t]!),
          noise: table((t) => noise[t]! - before.noise[t]!),
          output: zeros,
        },
        weight: table(() => 1),
      };
  }
}
