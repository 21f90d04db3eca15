/**
 * The spectrum loss from its definition, in f64 and with naive sums.
 *
 * @module
 */
import type { SpectralLossOptions, TargetName } from "../../diffusion/options.ts";
import { dft2, type PlaneShape } from "./fft.ts";

/** One batch. */
export interface SpectralCase {
  readonly shape: PlaneShape;
  /** A_t. */
  readonly alphasCumprod: ArrayLike<number>;
  readonly target: TargetName;
  readonly options: SpectralLossOptions;
  readonly tMax: number;
  readonly x0: ArrayLike<number>;
  readonly noise: ArrayLike<number>;
  readonly timesteps: readonly number[];
}

/** The loss of each sample for the network's output f. */
export function spectralLoss(batch: SpectralCase, f: ArrayLike<number>): number[] {
  const { shape, timesteps, tMax, options } = batch;
  const length = shape.height * shape.width * shape.channels;
  const one = { ...shape, samples: 1 };
  return timesteps.map((t, n) => {
    if (t >= tMax) return 0;
    const part = (values: ArrayLike<number>) =>
      Array.from({ length }, (_, i) => values[n * length + i]!);
    const { made, truth, c } = step(batch, t, part(batch.x0), part(batch.noise), part(f));
    return options.lambda * distance(options, one, made, truth) / c ** 2;
  });
}

/** y', y and c of one image. */
function step(
  { alphasCumprod, target, options: { mode } }: SpectralCase,
  t: number,
  x0: number[],
  e: number[],
  f: number[],
): { made: number[]; truth: number[]; c: number } {
  const a = alphasCumprod[t]!, before = t === 0 ? 1 : alphasCumprod[t - 1]!;
  const at = (level: number) =>
    x0.map((x, i) => Math.sqrt(level) * x + Math.sqrt(1 - level) * e[i]!);
  const xt = at(a);
  const implied = xt.map((x, i) => {
    const signal = Math.sqrt(a), noise = Math.sqrt(1 - a), spread = 0.5;
    const total = noise ** 2 + (spread * signal) ** 2;
    switch (target) {
      case "epsilon":
      case "scaled-epsilon":
      case "coloured-epsilon":
        return f[i]!;
      case "minus-epsilon":
        return -f[i]!;
      case "score":
        return -noise * f[i]!;
      case "v":
        return noise * x + signal * f[i]!;
      case "velocity":
        return (x + signal * f[i]!) / (signal + noise);
      case "edm":
        return noise * x / total - spread * signal * f[i]! / Math.sqrt(total);
    }
    const beta = 1 - a / before;
    const clean = target === "x0" || target === "dual-output"
      ? f[i]!
      : (f[i]! - Math.sqrt(a / before) * (1 - before) / (1 - a) * x) * (1 - a) /
        (Math.sqrt(before) * beta);
    return (x - Math.sqrt(a) * clean) / Math.sqrt(1 - a);
  });
  const moved = (base: number[], c: number) => base.map((x, i) => x + c * implied[i]!);
  switch (mode) {
    case "ddim": {
      const c = Math.sqrt(1 - before) - Math.sqrt(before * (1 - a) / a);
      return { made: moved(xt.map((x) => Math.sqrt(before / a) * x), c), truth: at(before), c };
    }
    case "eta": {
      const c = Math.sqrt(1 - before) - Math.sqrt(1 - a);
      return { made: moved(xt, c), truth: at(before), c };
    }
    case "x0": {
      const c = -Math.sqrt((1 - a) / a);
      return { made: moved(xt.map((x) => x / Math.sqrt(a)), c), truth: x0, c };
    }
    case "epsilon":
      return { made: implied, truth: e, c: 1 };
    case "printed":
      return { made: xt, truth: at(before), c: 1 };
  }
}

function distance(
  { spectrum, power, bands }: SpectralLossOptions,
  shape: PlaneShape,
  made: number[],
  truth: number[],
): number {
  const { height, width, channels } = shape;
  const points = height * width;
  const transform = (x: number[]) => dft2(x, shape).map((value) => value / Math.sqrt(points));
  const sizes = (z: Float64Array) =>
    Array.from({ length: points * channels }, (_, i) => Math.hypot(z[2 * i]!, z[2 * i + 1]!));
  const side = Math.min(height, width);
  const fold = (k: number, n: number) => Math.min(k, n - k) * side / n;
  const radius = (p: number) =>
    Math.hypot(fold(Math.floor(p / width), height), fold(p % width, width));
  const weight = (r: number) => {
    if (bands) return bands[Math.min(r < 1 ? 0 : 1 + Math.floor(Math.log2(r)), bands.length - 1)]!;
    return r === 0 ? (power > 0 ? 0 : 1) : r ** power;
  };
  const radii = Array.from({ length: points }, (_, p) => radius(p));
  const weighted = (values: number[], weights: number[]) => {
    const mean = weights.reduce((a, b) => a + b) / weights.length;
    return values.reduce((sum, v, i) => sum + v * weights[Math.floor(i / channels)]!, 0) / mean /
      values.length;
  };
  if (spectrum === "complex") {
    const difference = sizes(transform(made.map((x, i) => x - truth[i]!)));
    return weighted(difference.map((a) => a * a), radii.map(weight));
  }
  const [a, b] = [sizes(transform(made)), sizes(transform(truth))];
  if (spectrum === "radial-power") {
    const rings = Math.max(...radii.map(Math.round)) + 1;
    const means = (amplitudes: number[]) =>
      Array.from({ length: rings * channels }, (_, i) => {
        const inside = amplitudes.filter((_, j) =>
          Math.round(radii[Math.floor(j / channels)]!) === Math.floor(i / channels) &&
          j % channels === i % channels
        );
        return inside.reduce((sum, value) => sum + value ** 2, 0) / inside.length;
      });
    const [p, q] = [means(a), means(b)];
    const squares = p.map((value, i) => (Math.log1p(value) - Math.log1p(q[i]!)) ** 2);
    return weighted(squares, Array.from({ length: rings }, (_, r) => weight(r)));
  }
  const map = spectrum === "amplitude" ? (x: number) => x : Math.log1p;
  return weighted(a.map((value, i) => (map(value) - map(b[i]!)) ** 2), radii.map(weight));
}
