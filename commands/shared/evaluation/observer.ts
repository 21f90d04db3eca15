/**
 * Evaluation of a run while it trains: an observer that draws images from the averaged and from the
 * raw weights, judges both and appends a line to eval.jsonl. The best weights so far are kept as
 * checkpoints/best.safetensors.
 *
 * @module
 */
import { join, relative } from "node:path";
import type { DataOptions } from "../../../data/options.ts";
import { loadImages } from "../../../data/registry.ts";
import type { Arena } from "../../../device/arena.ts";
import type { Sampler } from "../../../diffusion/sampling.ts";
import { needsFeatures } from "../../../metrics/judges/collection.ts";
import type { FeatureExtractor } from "../../../metrics/judges/features/features.ts";
import { FrechetEstimator } from "../../../metrics/numerics/newton_schulz.ts";
import type { MetricsOptions } from "../../../metrics/judges/options.ts";
import { judge, type Metric, type Reference } from "../../../metrics/judges/compare.ts";
import { writeCheckpoint } from "../../../training/checkpoint.ts";
import { linesUpTo, Log } from "../../../training/log.ts";
import { inTurn } from "../../../training/collective.ts";
import type { Observer } from "../../../training/observer.ts";
import { learnsSchedule, processNow } from "../../../training/learned_schedule.ts";
import { runFolder } from "../../../training/run_folder.ts";
import type { Trainer } from "../../../training/trainer.ts";
import { collect } from "./collect.ts";
import { chooseExtractor } from "./extractor.ts";
import { collectReference } from "./reference.ts";
import { type ImageSource, samplerSource } from "./source.ts";
import type { Move } from "../../../diffusion/moves.ts";
import { fittingSampler } from "../../../training/sample_batch.ts";
import { samplerMoves } from "../../../diffusion/samplers/registry.ts";

/** What an evaluation of a run depends on besides its trainer. */
export interface RunEvaluation {
  readonly metrics: MetricsOptions;
  readonly data: DataOptions;
  /** The run's folder. */
  readonly dir: string;
  /** The config that goes into checkpoints. */
  readonly configText: string;
  readonly say: (line: string) => void;
}

/** Weights that are judged; the first decide which checkpoint is best. */
const KINDS = ["ema", "raw"] as const;

/** The key of the number that a choice of the config means. */
const BEST_KEYS = { fid: "frechetDistance", spectrum: "spectralDistance" } as const;

/** A line of eval.jsonl. */
interface EvalLine {
  readonly step: number;
  readonly count: number;
  readonly reference: string;
  readonly features: string | null;
  readonly ema: Readonly<Record<string, number>>;
  readonly raw: Readonly<Record<string, number>>;
  /** Whether these are the best averaged weights so far. */
  readonly best: boolean;
}

/** The observer of a run, none where its config wants no evaluation. */
export async function runEvaluation(
  trainer: Trainer,
  options: RunEvaluation,
): Promise<readonly Observer[]> {
  if (options.metrics.every === 0) return [];
  return [await Evaluation.create(trainer, options)];
}

class Evaluation implements Observer {
  readonly atEnd = true;
  readonly shared = true;

  private constructor(
    private readonly trainer: Trainer,
    private readonly options: RunEvaluation,
    private readonly extractor: FeatureExtractor | null,
    private readonly reference: Reference,
    private readonly drawings: Record<typeof KINDS[number], Drawing>,
    private readonly estimator: FrechetEstimator | null,
  ) {}

  static async create(trainer: Trainer, options: RunEvaluation): Promise<Evaluation> {
    const { gpu, state, collective } = trainer;
    const { metrics: { names, features, reference: limit }, data, say } = options;
    const { stored, buckets } = trainer.images;
    const images = stored || buckets ? await loadImages(data, "train", say) : trainer.images;
    const own = { images, data };
    const extractor = needsFeatures(names)
      // What the first has trained the others find.
      ? await inTurn(collective, () => chooseExtractor(gpu, { features, own, say }))
      : null;
    const choice = { name: images.name, images, statistics: null, own };
    const reference = await collectReference(choice, {
      ...{ metrics: names, extractor, say, limit: limit ?? undefined },
      ...{ keep: options.metrics.count, collective },
    });
    if (!reference) throw new Error("Cannot evaluate: the reference must be complete");
    const drawings = {
      ema: await drawingOf(trainer, state.ema),
      raw: await drawingOf(trainer, state.weights),
    };
    const estimator = options.metrics.estimate && extractor
      ? await FrechetEstimator.create(gpu, extractor.dimension)
      : null;
    return new Evaluation(trainer, options, extractor, reference, drawings, estimator);
  }

  get everySteps(): number {
    return this.options.metrics.every;
  }

  async read(step: number) {
    const { metrics: { count, best: rule }, dir } = this.options;
    const path = join(dir, "eval.jsonl");
    const values: Record<string, Record<string, number>> = {};
    for (const kind of KINDS) {
      const found = await this.#judge(kind, step);
      values[kind] = Object.fromEntries(found.map(({ key, value }) => [key, value]));
    }
    if (this.trainer.collective.rank > 0) return null;
    const key = BEST_KEYS[rule];
    const value = values.ema?.[key];
    const before = await bestBefore(path, step, key);
    const best = value !== undefined && value < before;
    const line: EvalLine = {
      ...{ step, count, reference: this.reference.name },
      features: this.extractor?.name ?? null,
      ema: values.ema ?? {},
      raw: values.raw ?? {},
      best,
    };
    if (best) await this.#keepBest(step, key, value);
    const log = await Log.open(path, step - 1);
    log.write(line);
    log.close();
    const scores = value === undefined ? {} : { [key]: value };
    return { event: "evaluation", file: relative(dir, path), ...scores };
  }

  destroy(): void {
    for (const { sampler } of Object.values(this.drawings)) sampler.destroy();
    this.extractor?.destroy();
    this.estimator?.destroy();
  }

  async #judge(kind: typeof KINDS[number], step: number): Promise<Metric[]> {
    const { metrics: { names, count }, say } = this.options;
    const { estimator } = this;
    await this.#follow(kind);
    const side = await collect(this.#source(kind, step), {
      ...{ label: `evaluation (${kind})`, metrics: names, extractor: this.extractor },
      ...{ count, keep: count, say, quiet: true, collective: this.trainer.collective },
    });
    if (!side) throw new Error("Cannot evaluate: the samples must be complete");
    return await judge(side, this.reference, { metrics: names, estimator }, say);
  }

  /** Draws by what a schedule has learned since. */
  async #follow(kind: typeof KINDS[number]): Promise<void> {
    const { config, state } = this.trainer;
    if (!learnsSchedule(config)) return;
    this.drawings[kind].sampler.destroy();
    this.drawings[kind] = await drawingOf(
      this.trainer,
      kind === "ema" ? state.ema : state.weights,
    );
  }

  #source(kind: typeof KINDS[number], step: number): ImageSource {
    const { config, imageSize, network } = this.trainer;
    const { run: { seed } } = config, classes = network.conditioning?.labels ?? 0;
    return samplerSource({
      ...imageSize,
      name: `samples of step ${step} (${kind} weights)`,
      fingerprint: `${kind} ${step}`,
      ...this.drawings[kind],
      seed,
      labelOf: classes > 0 ? (index) => (seed + index) % classes : undefined,
    });
  }

  async #keepBest(step: number, key: string, value: number): Promise<void> {
    const { dir, configText } = this.options;
    const path = join(runFolder(dir).checkpoints, "best.safetensors");
    const facts = { step, config: configText, notes: { [key]: `${value}` } };
    await writeCheckpoint(path, facts, this.trainer.state.checkpointTensors(step));
  }
}

/** What draws with some weights. */
interface Drawing {
  readonly sampler: Sampler;
  readonly moves: readonly Move[];
}

async function drawingOf(trainer: Trainer, weights: Arena): Promise<Drawing> {
  const { gpu, network, config, imageSize: size, latent } = trainer;
  const process = await processNow(trainer, weights);
  const sampler = await fittingSampler({ gpu, network, process, size, latent }, weights, {
    verb: "evaluate the run",
    remedy: "--metrics.every=0 leaves its evaluation out",
  });
  return { sampler, moves: samplerMoves(process, config.diffusion.sampler) };
}

/** The lowest value of the averaged weights in lines before a step; Infinity where there is none. */
async function bestBefore(path: string, step: number, key: string): Promise<number> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return Infinity;
    throw error;
  }
  const lines = linesUpTo(text, step - 1).split("\n").slice(0, -1);
  return lines.reduce((least, line) => {
    const value = (JSON.parse(line) as EvalLine).ema[key];
    return value !== undefined && value < least ? value : least;
  }, Infinity);
}
