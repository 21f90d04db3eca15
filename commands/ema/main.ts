/**
 * `deno task ema RUN --width W`: averaged weights of any width, put together from those that the run
 * stored (optim/power_ema.ts has the mathematics).
 *
 * @module
 */
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { coefficientsOf, exponentOf } from "../../optim/power_ema.ts";
import { Checkpoint, type CheckpointTensor, writeCheckpoint } from "../../training/checkpoint.ts";
import { type StoredAverage, storedAverages } from "../../training/power_averages.ts";
import { runFolder } from "../../training/run_folder.ts";

const command = defineCommand({
  name: "ema",
  summary: "Make averaged weights of any width from those that a run stored.",
  description:
    "A run stores averages with --optim.powerEma.widths='[0.05, 0.1]'. The width is the standard " +
    "deviation of the time that an average looks back, as a share of the time trained. Writes a file " +
    "that sample and eval take as --checkpoint.",
  argument: { name: "RUN", description: "the run's folder" },
  options: {
    width: {
      value: "W",
      parse: parseWidth,
      required: true,
      description: "width of the average, as in 0.07",
    },
    step: {
      value: "N",
      parse: integer({ min: 1 }),
      description: "the time that it ends at, in steps (default: the last that was stored)",
    },
    out: { value: "FILE", description: "where to write it (default: in the run's averages/)" },
  },
  examples: [{ args: "runs/cifar10 --width 0.07", does: "makes an average of width 0.07" }],
});

function parseWidth(text: string): number {
  try {
    exponentOf(Number(text));
  } catch {
    throw new RangeError(`must be a number above 0 and at most 0.3, got ${JSON.stringify(text)}`);
  }
  return Number(text);
}

/** Stored averages up to a step, which must be one that they were stored at. */
function usable(stored: readonly StoredAverage[], run: string, step: number | undefined) {
  const steps = [...new Set(stored.map((average) => average.step))];
  if (steps.length === 0) {
    throw new UsageError(
      `Cannot average ${run}: it must have stored averages, it has none; train with ` +
        "--optim.powerEma.widths='[0.05, 0.1]'",
    );
  }
  const end = step ?? steps.at(-1)!;
  if (!steps.includes(end)) {
    throw new UsageError(
      `Cannot average ${run}: --step must be one of ${steps.join(", ")}, got ${step}`,
    );
  }
  return { end, used: stored.filter((average) => average.step <= end) };
}

async function average(
  { options, argument: run }: Invocation<typeof command.options>,
): Promise<void> {
  const { width, step, out } = options;
  if (run === undefined) {
    throw new UsageError("Cannot average: the run's folder must be given, as in ema runs/cifar10");
  }
  const { averages } = runFolder(run);
  const { end, used } = usable(await storedAverages(averages), run, step);
  const profiles = used.map((average) => ({ time: average.step, width: average.width }));
  const shares = coefficientsOf(profiles, { time: end, width });
  const files: Checkpoint[] = [];
  for (const { path } of used) files.push(await Checkpoint.open(path));
  const last = files.at(-1)!;
  const tensors = Array.from(last.tensors, ([name, { shape }]): CheckpointTensor => ({
    name,
    shape,
    read: async () => {
      let sum: Float64Array | undefined;
      for (const [i, file] of files.entries()) {
        const values = await file.read(name, shape);
        sum ??= new Float64Array(values.length);
        for (let j = 0; j < values.length; j++) sum[j]! += shares[i]! * values[j]!;
      }
      return Float32Array.from(sum!);
    },
  }));
  const path = out ??
    `${averages}/made-step-${String(end).padStart(6, "0")}-width-${width}.safetensors`;
  await writeCheckpoint(path, { step: end, config: last.config }, tensors);
  console.log(
    `Made an average of width ${width} after ${end} steps from ${used.length} stored ones`,
  );
  console.log(`weights     ${path}`);
}

if (import.meta.main) await runCommand(command, average);
