/**
 * A run's folder as a test writes it, line by line.
 *
 * @module
 */
import { join } from "node:path";
import { encodePng } from "../../../formats/png.ts";
import { atomicWrite } from "../../../support/files.ts";

/** Choices of {@linkcode WrittenRun}. */
export interface WrittenRunOptions {
  readonly steps?: number;
  readonly lr?: number;
}

/** A run that is being written. */
export class WrittenRun {
  private constructor(readonly dir: string) {}

  /** Makes the folder and its config. */
  static async create(dir: string, { steps = 100, lr = 1e-3 }: WrittenRunOptions = {}) {
    await Deno.mkdir(join(dir, "samples"), { recursive: true });
    await Deno.mkdir(join(dir, "checkpoints"), { recursive: true });
    const config = {
      run: { dir, seed: 1 },
      data: { name: "synthetic", size: 8 },
      optim: { lr },
      train: { steps, batchSize: 4, logEvery: 10, sampleEvery: 20, evalEvery: 20 },
      metrics: { every: 0 },
      instruments: { bandLoss: true, spectra: true },
    };
    await atomicWrite(join(dir, "config.json"), JSON.stringify(config));
    return new WrittenRun(dir);
  }

  get log(): string {
    return join(this.dir, "log.jsonl");
  }

  /** Appends lines to the log. */
  async write(...lines: object[]): Promise<void> {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    await Deno.writeTextFile(this.log, text, { append: true });
  }

  /** Appends what a run logs after some steps. */
  async writeStep(step: number, loss: number): Promise<void> {
    await this.write(
      { step, loss, lr: 1e-3, gradNorm: 2 * loss, imagesPerSecond: 40 },
      {
        ...{ step, event: "bandLoss", timesteps: [0, 5, 10], bands: [0, 1, 2], counts: [3, 3] },
        epsilon: [[loss, loss / 2, loss / 4], [loss / 3, loss / 6, loss / 9]],
      },
    );
  }

  /** Writes a preview of one colour, and the lines that go with it. */
  async writeSample(step: number, grey: number): Promise<void> {
    const file = `samples/step-${String(step).padStart(6, "0")}.png`;
    const data = new Uint8Array(64).fill(grey);
    await atomicWrite(join(this.dir, file), encodePng({ width: 8, height: 8, channels: 1, data }));
    const spectrum = { count: 4, power: [4, 2, 1, 0.5], exponent: 2 };
    await this.write(
      { step, valLoss: 1 / step },
      { step, event: "sample", file },
      {
        ...{ step, event: "spectra", data: spectrum, probe: [] },
        samples: { ...spectrum, distance: 10 / step, highBandError: 1 },
      },
    );
  }
}
