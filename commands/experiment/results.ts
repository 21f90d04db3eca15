/**
 * What an experiment comes to: spectra of all samples, each run's result beside its samples, and the
 * tables in the experiment's folder.
 *
 * @module
 */
import { join } from "node:path";
import type { Experiment, ExperimentRun } from "../../config/experiment.ts";
import { imageShape } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import type { Gpu } from "../../device/gpu.ts";
import { SpectralReference, spreadImages } from "../../metrics/instruments/spectra.ts";
import { memorisation } from "../../metrics/judges/memorisation.ts";
import {
  type Comparison,
  differencesTable,
  markdownTable,
  meansTable,
} from "../../run_log/comparisons.ts";
import { QUANTITIES } from "../../run_log/quantities.ts";
import {
  comparableData,
  type Method,
  readRun,
  resultPath,
  type SamplesResult,
} from "../../run_log/read_run.ts";
import { atomicWrite, exists } from "../../support/files.ts";
import { formatTable } from "../../support/terminal.ts";
import { compareMethods } from "./compare.ts";
import type { RunSamples } from "./run_one.ts";

/** Training images that samples are compared with, spread over the set. */
const REFERENCE_IMAGES = 5000;

/** Multiplications that the search for copies may take. */
const SEARCH_WORK = 1e10;

/** The training images of a data set as runs are measured against them. */
interface DataSet {
  readonly reference: SpectralReference;
  readonly images: Uint8Array;
  readonly length: number;
}

/** See the module. */
export class Results {
  readonly #powers = new Map<string, Float64Array>();
  readonly #sets = new Map<string, Promise<DataSet>>();

  constructor(private readonly gpu: Gpu, private readonly experiment: Experiment) {}

  /** Takes a run's samples for the tables, and judges them where that is not done. */
  async add(run: ExperimentRun, samples: RunSamples): Promise<void> {
    await this.judge(run, samples);
    const { reference } = await this.#setOf(run.config);
    this.#powers.set(`${run.method} ${run.seed}`, await reference.measure(samples.images));
  }

  /** Measures a run's samples and writes the result beside them, unless it is there. */
  async judge({ config }: ExperimentRun, samples: RunSamples): Promise<void> {
    const path = resultPath(config.run.dir ?? "");
    if (await exists(path)) return;
    const { reference, images, length } = await this.#setOf(config);
    const powers = await reference.measure(samples.images);
    const trained = Math.floor(SEARCH_WORK / (samples.count * length));
    const result: SamplesResult = {
      step: samples.step,
      data: reference.data,
      samples: reference.compare(powers),
      classifier: reference.classify(powers),
      memorisation: trained < 2
        ? null
        : memorisation(samples.images, spread(images, length, trained), length),
    };
    await atomicWrite(path, `${JSON.stringify(result)}\n`);
  }

  /** Prints the tables and writes them to the experiment's folder. */
  async write(done: readonly ExperimentRun[]): Promise<void> {
    const { dir, name, about, bases } = this.experiment;
    const records = await Promise.all(done.map(({ config }) => readRun(config.run.dir ?? "")));
    const methods = this.experiment.methods.flatMap((method): Method[] => {
      const own = records.filter((_, i) => done[i]!.method === method);
      return own.length > 0 ? [{ name: method, runs: own }] : [];
    });
    const comparisons = await this.#compare(methods, done);
    const means = meansTable(methods), differences = differencesTable(comparisons);
    console.log(formatTable(means.head, means.rows));
    const against = new Set([...bases.values()]).size === 1
      ? methods[0]?.name ?? ""
      : "the first value of the first axis";
    if (comparisons.length > 0) {
      console.log(`Differences from ${against} at the same seed`);
      console.log(formatTable(differences.head, differences.rows));
    }
    const notes = QUANTITIES.map(({ label, about }) => `- ${label}: ${about}`);
    const text = [
      `# ${name}`,
      about,
      "Mean ± half the 95 % interval of Student's t over seeds.",
      markdownTable(means),
      `Differences from ${against} at the same seed: mean ± half the 95 % interval of t over seeds; ` +
      "the probability of so large a difference by chance (paired t test), and the same corrected " +
      `for all ${comparisons.length} comparisons of the table (Holm 1979); the smallest difference ` +
      "that this design sees four times in five; 95 % intervals of the bootstrap over samples, a " +
      "seed each.",
      markdownTable(differences),
      notes.join("\n"),
    ].filter((part) => part !== "").join("\n\n");
    await atomicWrite(join(dir, "table.md"), `${text}\n`);
    const runs = records.map(({ dir, seed, final }) => ({ dir, seed, final }));
    const json = { name, about, runs, comparisons };
    await atomicWrite(join(dir, "table.json"), `${JSON.stringify(json, null, 1)}\n`);
  }

  async #compare(
    methods: readonly Method[],
    done: readonly ExperimentRun[],
  ): Promise<Comparison[]> {
    const { bases } = this.experiment;
    const references = new Map<string, SpectralReference>();
    for (const { method, config } of done) {
      references.set(method, (await this.#setOf(config)).reference);
    }
    return compareMethods(methods, {
      baseOf: (method) => bases.get(method) ?? method,
      referenceOf: (method) => references.get(method)!,
      powersOf: (method, seed) => this.#powers.get(`${method} ${seed}`),
    });
  }

  /** The data of a run; read and measured once for all runs that share it. */
  #setOf(config: ExperimentRun["config"]): Promise<DataSet> {
    const key = JSON.stringify(comparableData(config.data));
    let set = this.#sets.get(key);
    if (!set) {
      set = (async () => {
        const pixels = await loadImages(config.data, "train", console.log);
        const { height, width, channels } = imageShape(config.data);
        const reference = await SpectralReference.create(this.gpu, pixels, REFERENCE_IMAGES);
        return { reference, images: pixels.images, length: height * width * channels };
      })();
      this.#sets.set(key, set);
    }
    return set;
  }
}

/** At most so many images, spread over a set. */
function spread(images: Uint8Array, length: number, most: number): Uint8Array {
  const count = images.length / length;
  const pixels = { images, count, height: 1, width: length, channels: 1 };
  return count <= most ? images : spreadImages(pixels, most).images;
}
