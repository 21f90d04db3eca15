/**
 * Time by kernel, for `--profile`.
 *
 * @module
 */
import type { KernelTime } from "../device/profile.ts";
import { formatTable } from "../support/terminal.ts";
import type { Trainer } from "../training/trainer.ts";

/** Replays before anything is measured: drivers finish compiling in the first ones. */
const WARM_STEPS = 2;
const MEASURED_STEPS = 3;

/**
 * Measures training steps and prints a table, longest kernels first, and the kernels' sum against
 * the wall time of an ordinary step.
 */
export async function profileTraining(trainer: Trainer): Promise<void> {
  let step = 0;
  for (; step < WARM_STEPS; step++) trainer.step(step);
  await trainer.gpu.finish();
  const start = performance.now();
  for (; step < WARM_STEPS + MEASURED_STEPS; step++) trainer.step(step);
  await trainer.gpu.finish();
  const wallMs = (performance.now() - start) / MEASURED_STEPS;
  console.log(profileText(await trainer.profileStep(step), wallMs));
}

/**
 * The table.
 *
 * @param wallMs Milliseconds of an ordinary step.
 */
export function profileText(kernels: readonly KernelTime[], wallMs: number): string {
  const sum = kernels.reduce((total, { ms }) => total + ms, 0);
  const dispatches = kernels.reduce((total, kernel) => total + kernel.dispatches, 0);
  const rows = kernels.map(({ name, dispatches, ms }) => [
    name,
    dispatches,
    Number(ms.toFixed(3)),
    Number((100 * ms / sum).toFixed(1)),
  ]);
  return `${formatTable(["kernel", "dispatches", "ms", "%"], rows)}\n` +
    `${dispatches} dispatches, ${sum.toFixed(1)} ms of kernels; an ordinary step takes ${
      wallMs.toFixed(1)
    } ms`;
}
