/**
 * Holds a whole step's gradient to the loss that it belongs to: moved a little along the gradient, the
 * loss must change as the gradient's norm says. One number that every backward kernel takes part in.
 *
 * @module
 */
import type { Arena } from "../device/arena.ts";
import type { Gpu } from "../device/gpu.ts";

/** Share of the loss that the two points differ by from the middle one. */
const STEP = 0.005;
/** Largest deviation of the two slopes, relative. */
const TOLERANCE = 0.02;

/**
 * Throws unless the gradient in `grads` is the slope of the loss at `weights`, which are put back.
 *
 * @param loss Runs the step on the same batch with the weights as they are, leaves the gradient in
 *   `grads` and returns the loss. It may change the weights.
 */
export async function checkGradient(
  gpu: Gpu,
  weights: Arena,
  grads: Arena,
  loss: () => Promise<number>,
): Promise<void> {
  const start: Float32Array<ArrayBuffer>[] = [];
  for (const chunk of weights.chunks) start.push(await gpu.readF32(chunk));
  const middle = await loss();
  const gradient: Float32Array<ArrayBuffer>[] = [];
  for (const chunk of grads.chunks) gradient.push(await gpu.readF32(chunk));
  let squares = 0;
  for (const chunk of gradient) for (const g of chunk) squares += g * g;
  const norm = Math.sqrt(squares);
  const distance = STEP * middle / norm;
  const move = (by: number) =>
    weights.chunks.forEach((chunk, i) =>
      gpu.write(chunk, start[i]!.map((w, at) => w + by * gradient[i]![at]! / norm))
    );
  move(distance);
  const above = await loss();
  move(-distance);
  const below = await loss();
  move(0);
  const slope = (above - below) / (2 * distance);
  if (!(Math.abs(slope / norm - 1) <= TOLERANCE)) {
    throw new Error(
      `Cannot measure the step: its gradient's norm must be the slope of its loss within ${
        100 * TOLERANCE
      } %, got ${norm} and ${slope}`,
    );
  }
}
