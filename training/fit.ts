/**
 * Whether a config's step fits an adapter, and in how many parts its batch does.
 *
 * @module
 */
import { OutOfMemoryError } from "../device/program.ts";
import { formatBytes } from "./run_summary.ts";
import { planStep, type StepPlan, type StepSubject } from "./step_plan.ts";

/** How a step fits an adapter. */
export interface Fit {
  /** As the config stands, over the limits or not; null when not even a plan can be made. */
  readonly asIs: StepPlan | null;
  /** What the step is over; null when it fits. */
  readonly reason: string | null;
  /** In the fewest parts that fit, from the config's on; null when none does. */
  readonly fitting: StepPlan | null;
}

/**
 * Finds the fewest parts of a batch with which a step stays within the adapter's limits and a memory.
 *
 * @param memory Bytes that state and activations may take; unlimited unless given.
 */
export function fitStep(subject: StepSubject, memory = Infinity): Fit {
  const { batchSize, accumulate } = subject.config.train;
  const first = tryPlan(subject);
  const asIs = first.plan ?? tryPlan(subject, true).plan;
  const reason = first.plan === null
    ? overLimit(subject, asIs, first.refusal)
    : overMemory(first.plan, memory);
  if (reason === null) return { asIs, reason, fitting: asIs };
  for (let parts = accumulate + 1; parts <= batchSize; parts++) {
    if (batchSize % parts !== 0) continue;
    const { plan } = tryPlan(inParts(subject, parts));
    if (plan && overMemory(plan, memory) === null) return { asIs, reason, fitting: plan };
  }
  return { asIs, reason, fitting: null };
}

/** What to do about a step that does not fit, in the form that a remedy has. */
export function remedyOf({ fitting }: Fit): string {
  if (fitting === null) {
    return "a smaller network, by --model.channels=N, smaller images, by --data.size=N, or an " +
      "adapter with more memory";
  }
  return `--train.accumulate=${fitting.accumulate}: the same batch, ${fitting.images} images ` +
    "at once";
}

/**
 * Does what makes a step, and names the remedy where the step does not fit.
 *
 * @throws {RangeError} When it is over one of the adapter's limits or over its memory.
 */
export async function withRemedy<T>(subject: StepSubject, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fit = error instanceof OutOfMemoryError
      ? fitBelow(subject, error)
      : error instanceof RangeError
      ? fitStep(subject)
      : null;
    // Something else is out of its range.
    if (!fit || fit.reason === null) throw error;
    const { batchSize, accumulate } = subject.config.train;
    const cause = error;
    throw new RangeError(
      `Cannot train ${batchSize / accumulate} images at once: ${fit.reason}; use ${remedyOf(fit)}`,
      { cause },
    );
  }
}

/** A fit into less than what an adapter has refused, as nobody tells how much it has. */
function fitBelow(subject: StepSubject, { message }: OutOfMemoryError): Fit {
  return { ...fitStep(subject, bytesOf(planStep(subject)) - 1), reason: message };
}

/** The plan of a step, or what the adapter's limits have against it. */
function tryPlan(
  subject: StepSubject,
  unlimited = false,
): { readonly plan: StepPlan | null; readonly refusal: string } {
  try {
    return { plan: planStep(subject, unlimited), refusal: "" };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { plan: null, refusal: error.message };
  }
}

function inParts(subject: StepSubject, accumulate: number): StepSubject {
  const { config } = subject;
  return { ...subject, config: { ...config, train: { ...config.train, accumulate } } };
}

/** Which limit it is, with sizes that can be read. */
function overLimit({ gpu }: StepSubject, plan: StepPlan | null, refusal: string): string {
  const most = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  if (!plan || plan.largest.bytes <= most) return refusal;
  const { label, bytes } = plan.largest;
  return `${label} would have ${formatBytes(bytes)}, and a binding of this adapter may have ${
    formatBytes(most)
  }`;
}

function overMemory(plan: StepPlan, memory: number): string | null {
  if (bytesOf(plan) <= memory) return null;
  return `${formatBytes(plan.stateBytes)} of state and ${
    formatBytes(plan.memory.peakBytes)
  } of activations are more than the ${formatBytes(memory)} available`;
}

function bytesOf({ stateBytes, memory }: StepPlan): number {
  return stateBytes + memory.peakBytes;
}
