/**
 * What a learned noise schedule has learned: from a checkpoint, or from weights on the GPU, to options of the
 * diffusion process, of which everything that draws is made.
 *
 * @module
 */
import type { Arena } from "../device/arena.ts";
import type { Gpu } from "../device/gpu.ts";
import { LEARNED_SCHEDULE } from "../diffusion/learned_rules.ts";
import type { LearnedLogSnr } from "../diffusion/schedules/learned.ts";
import type { Process } from "../diffusion/process.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { ImageSize } from "./pictures.ts";
import { planeOf, processOn } from "./plane_process.ts";
import { EMA_PREFIX, WEIGHTS_PREFIX } from "./prefixes.ts";
import type { RunConfig } from "./run_config.ts";

/** What a config says of it. */
type Described = Pick<RunConfig, "diffusion">;

/** Where its parameters are: an arena, or a set of weights of a checkpoint. */
export type LearnedSource =
  | { readonly gpu: Gpu; readonly arena: Arena }
  | { readonly checkpoint: Pick<Checkpoint, "read">; readonly weights: "ema" | "raw" };

/** Whether the config's schedule is learned. */
export function learnsSchedule({ diffusion }: Described): boolean {
  return diffusion.schedule === LEARNED_SCHEDULE;
}

/** The config with what its schedule has learned, or as it is where that is not learned. */
export async function withLearned<C extends Described>(
  config: C,
  source: LearnedSource,
): Promise<C> {
  if (!learnsSchedule(config)) return config;
  const learnedLogSnr = await learnedFrom(source, config.diffusion.scheduleOptions.hidden);
  return { ...config, diffusion: { ...config.diffusion, learnedLogSnr } };
}

/** A run that is being trained. */
interface Learning {
  readonly gpu: Gpu;
  readonly config: RunConfig;
  readonly process: Process;
  readonly imageSize: ImageSize;
}

/** The process of a run as some of its weights have it by now. */
export async function processNow(run: Learning, arena: Arena): Promise<Process> {
  const { gpu, config, process, imageSize } = run;
  if (!learnsSchedule(config)) return process;
  const learned = await withLearned(config, { gpu, arena });
  return processOn(learned, planeOf(learned, imageSize));
}

async function learnedFrom(source: LearnedSource, hidden: number): Promise<LearnedLogSnr> {
  const read = async (part: string, ...shape: number[]): Promise<number[]> => {
    const name = `logSnr.${part}`;
    return Array.from(
      "arena" in source
        ? await source.gpu.readF32(source.arena.get(name))
        : await source.checkpoint.read(
          `${source.weights === "ema" ? EMA_PREFIX : WEIGHTS_PREFIX}${name}`,
          shape,
        ),
    );
  };
  const [weight = 0] = await read("input.weight", 1, 1), [bias = 0] = await read("input.bias", 1);
  return {
    input: [weight, bias],
    hidden: {
      weight: await read("hidden.weight", 1, hidden),
      bias: await read("hidden.bias", hidden),
      output: await read("output.weight", hidden, 1),
    },
  };
}
