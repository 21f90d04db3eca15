/**
 * Time by kernel of a training step, as `deno task profile` and `train --profile` print it.
 *
 * @module
 */
import type { KernelTime } from "../../device/profile.ts";
import { formatTable } from "../../support/terminal.ts";
import { Clock } from "../../training/clock.ts";
import type { Trainer } from "../../training/trainer.ts";

/** Replays before anything is measured: drivers finish compiling in the first ones. */
const WARM_STEPS = 2;
/** Replays that are measured. */
export const MEASURED_STEPS = 3;

/** A step's kernels, longest first, and what an ordinary replay of it takes, in milliseconds. */
export interface StepProfile {
  readonly kernels: readonly KernelTime[];
  readonly wallMs: number;
  /** Share of the time in which the GPU had nothing to do, 0 to 1; null where it can't be measured. */
  readonly idle?: number | null;
}

/** Measures training steps and prints a table, as `train --profile` does. */
export async function profileTraining(trainer: Trainer): Promise<void> {
  console.log(profileText(await measureTraining(trainer)));
}

/** Measures training steps from the first one on, at the pace of a run. */
export async function measureTraining(trainer: Trainer): Promise<StepProfile> {
  let step = 0;
  for (; step < WARM_STEPS; step++) await trainer.step(step);
  await trainer.gpu.finish();
  const clock = new Clock(trainer);
  const start = performance.now();
  let wallMs = 0;
  const time = await trainer.gpu.measureIdle(async () => {
    for (; step < WARM_STEPS + MEASURED_STEPS; step++) {
      await trainer.step(step);
      await clock.tick();
    }
    await trainer.gpu.finish();
    wallMs = (performance.now() - start) / MEASURED_STEPS;
  });
  const idle = time && time.idleMs / time.totalMs;
  return { kernels: await trainer.profileStep(step), wallMs, idle };
}

/** The table of a profile: each kernel's dispatches, milliseconds and share. */
export function profileText(
  { kernels, wallMs, idle = null }: StepProfile,
  top = kernels.length,
): string {
  const sum = kernels.reduce((total, { ms }) => total + ms, 0);
  const dispatches = kernels.reduce((total, kernel) => total + kernel.dispatches, 0);
  const row = (name: string, count: number, ms: number) => [
    name,
    count,
    Number(ms.toFixed(3)),
    Number((100 * ms / sum).toFixed(1)),
  ];
  const rows = kernels.slice(0, top).map(({ name, dispatches, ms }) => row(name, dispatches, ms));
  const others = kernels.slice(top);
  if (others.length > 0) {
    const count = others.reduce((total, kernel) => total + kernel.dispatches, 0);
    const ms = others.reduce((total, kernel) => total + kernel.ms, 0);
    rows.push(row(`${others.length} others`, count, ms));
  }
  return `${formatTable(["kernel", "dispatches", "ms", "%"], rows)}\n` +
    `${dispatches} dispatches, ${sum.toFixed(1)} ms of kernels; an ordinary step takes ${
      wallMs.toFixed(1)
    } ms${idle === null ? "" : `, and the GPU is idle for ${(100 * idle).toFixed(1)} % of it`}`;
}
