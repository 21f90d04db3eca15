/**
 * Where moves of sampling lead in f64, as diffusion/moves.ts defines them: the reference for what the
 * GPU computes in f32, and for recorded runs in f64.
 *
 * @module
 */
import {
  isEvaluation,
  keptRegisters,
  type Move,
  type SamplerStep,
  type Shares,
} from "../../diffusion/moves.ts";
import { quantileOf } from "./quantile.ts";

/** What moves are followed with. */
export interface Surroundings {
  /** The network's output for an image; evaluations count from 0. */
  network(x: Float64Array, step: SamplerStep, evaluation: number): ArrayLike<number>;
  /** Standard normal noise of a move; none is drawn unless given. */
  noise?(move: number): ArrayLike<number> | null;
  /** Is told of the image after each move, and of the x0 that it predicted. */
  onMove?(move: number, x: Float64Array, predicted: Float64Array): void;
}

/** The image at the end of moves; one image is one sample. */
export function follow(
  moves: readonly Move[],
  start: ArrayLike<number>,
  { network, noise, onMove }: Surroundings,
): Float64Array {
  let x = Float64Array.from(start);
  let before: Float64Array = new Float64Array(x.length);
  const kept = Array.from({ length: keptRegisters(moves) }, () => new Float64Array(x.length));
  let evaluation = 0;
  for (const [i, move] of moves.entries()) {
    const z = noise?.(i);
    const drawn = (share: number, k: number) => share === 0 ? 0 : share * (z?.[k] ?? 0);
    if (!isEvaluation(move)) {
      x = x.map((value, k) => move.renoise.signal * value + drawn(move.renoise.noise, k));
      onMove?.(i, x, before);
      continue;
    }
    const f = network(x, move, evaluation++), now = x, last = before;
    const x0 = boundedX0(move, now.map((value, k) => move.xToX0 * value + move.fToX0 * f[k]!));
    const term = (share: number | undefined, values: ArrayLike<number>, k: number) =>
      share ? share * values[k]! : 0;
    const sum = (shares: Shares, k: number) =>
      term(shares.x0, x0, k) + term(shares.x, now, k) + term(shares.f, f, k) +
      term(shares.before, last, k) +
      (shares.kept ?? []).reduce((total, share, r) => total + term(share, kept[r]!, k), 0);
    const shares = {
      ...{ x0: move.fromX0, x: move.fromX, f: move.fromF, before: move.fromBefore ?? 0 },
      kept: move.fromKept ?? [],
    };
    x = now.map((_, k) => sum(shares, k) + drawn(move.noise, k));
    const becomes = (move.keep ?? []).map((shares) => shares && now.map((_, k) => sum(shares, k)));
    becomes.forEach((values, r) => values && (kept[r] = values));
    before = x0;
    onMove?.(i, x, x0);
  }
  return x;
}

/** The predicted x0 within its bounds. */
function boundedX0(move: SamplerStep, x0: Float64Array): Float64Array {
  if (move.threshold) {
    const { ratio, most } = move.threshold;
    const limit = Math.min(most, Math.max(1, quantileOf(x0.map(Math.abs), ratio)));
    return x0.map((value) => Math.max(-limit, Math.min(limit, value)) / limit);
  }
  const range = move.range ?? 1;
  return move.clip ? x0.map((value) => Math.max(-range, Math.min(range, value))) : x0;
}
