/**
 * The two that must agree: the page, used by its forms in a browser, and the same modules in Deno.
 *
 * @module
 */
import { drawImages } from "../../commands/page/app/draw.ts";
import { LiveTraining, type TrainingLine } from "../../commands/page/app/live_training.ts";
import { LoadedModel } from "../../commands/page/app/loaded_model.ts";
import { fetchFile } from "../../commands/page/app/fetch_file.ts";
import type { Site } from "../../commands/page/site.ts";
import type { ImageSet } from "../../data/dataset.ts";
import type { Gpu, GpuCounters } from "../../device/gpu.ts";
import type { BrowserPage } from "./chromium.ts";

/** Images of a sample during training, as the page draws. */
const SAMPLES = 16;

/** Images, and the milliseconds that they took. */
export interface Drawn {
  /** `[count, h, w, c]` in [-1, 1]. */
  readonly images: readonly number[];
  readonly milliseconds: number;
}

/** A run of the first recipe. */
export interface Training {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps that are taken of it; all unless given. */
  readonly until?: number;
  /** Called after each line. */
  readonly onLine?: (line: TrainingLine) => Promise<void>;
}

/** Draws and trains. */
export interface Side {
  readonly name: string;
  /** Images of the first model by its own sampler, of consecutive seeds. */
  draw(first: number, count: number): Promise<Drawn>;
  /** A run of the first recipe from seed 0. */
  train(training: Training): Promise<TrainingLine[]>;
}

/** A side whose GPU objects are counted. */
export interface CountedSide extends Side {
  /** Objects made on its GPU so far, and bytes held by buffers. */
  counters(): Promise<GpuCounters>;
}

/** The page, by its forms. */
export class PageSide implements CountedSide {
  readonly name = "page";

  /** @param patience Milliseconds that a drawing, or the steps of a line, may take. */
  private constructor(private readonly page: BrowserPage, private readonly patience?: number) {}

  /**
   * Waits until the page has its GPU.
   *
   * @throws {Error} With the page's reason, where it gets none.
   */
  static async of(page: BrowserPage, patience?: number): Promise<PageSide> {
    await page.until(`document.body.dataset.state !== "starting"`);
    if (await page.evaluate(`document.body.dataset.state === "ready"`)) {
      return new PageSide(page, patience);
    }
    const refusal = await page.evaluate<string>(`document.querySelector("#refusal").innerText`);
    throw new Error(`Cannot use the page, which says: ${refusal}`);
  }

  counters(): Promise<GpuCounters> {
    return this.page.evaluate("diffract.gpu.counters");
  }

  async draw(first: number, count: number): Promise<Drawn> {
    await this.#open("sample", { count, seed: first });
    await this.#submit("sample");
    await this.#wait();
    return await this.page.evaluate(
      "({ ...diffract.sample.drawn, images: [...diffract.sample.drawn.images] })",
    );
  }

  /** Trains to the end whatever `until` says. */
  async train({ steps, onLine }: Training): Promise<TrainingLine[]> {
    await this.#open("train", { "train-steps": steps, "train-seed": 0 });
    await this.#submit("train");
    const lines: TrainingLine[] = [];
    for (;;) {
      await this.#wait(`diffract.train.lines.length > ${lines.length}`);
      const line = await this.page.evaluate<TrainingLine | undefined>(
        `diffract.train.lines[${lines.length}]`,
      );
      if (!line) return lines;
      lines.push(line);
      await onLine?.(line);
    }
  }

  async #open(tab: string, values: Readonly<Record<string, number>>): Promise<void> {
    await this.page.evaluate(`document.querySelector("#tab-${tab}").click()`);
    for (const [id, value] of Object.entries(values)) {
      await this.page.evaluate(`document.querySelector("#${id}").value = "${value}"`);
    }
  }

  async #submit(form: string): Promise<void> {
    await this.page.evaluate(`document.querySelector("#${form}-form").requestSubmit()`);
  }

  /** Waits for something, or for the end of the job; throws what the page complains of. */
  async #wait(what = "false"): Promise<void> {
    await this.page.until(`${what} || !diffract.desk.busy`, this.patience);
    const error = await this.page.evaluate<string>(`document.querySelector("#error").innerText`);
    if (error !== "") throw new Error(`Cannot go on: the page says ${error}`);
  }
}

/** Deno, by the page's modules. */
export class DenoSide implements Side {
  #loaded: LoadedModel | undefined;

  /** @param url The page's address, and `images` what it trains on. */
  constructor(
    readonly name: string,
    private readonly gpu: Gpu,
    private readonly site: Site,
    private readonly url: string,
    private readonly images: ImageSet,
  ) {}

  async draw(first: number, count: number): Promise<Drawn> {
    const model = this.site.models[0]!;
    const loaded = this.#loaded ??= LoadedModel.create(
      this.gpu,
      model,
      await fetchFile(model.weights, this.url),
    );
    const seeds = Array.from({ length: count }, (_, i) => first + i);
    const started = performance.now();
    const images = await drawImages(loaded, { sampler: model.diffusion.sampler, seeds });
    const milliseconds = performance.now() - started;
    return { images: [...images], milliseconds };
  }

  async train({ steps, until = steps, onLine }: Training): Promise<TrainingLine[]> {
    const { config } = this.site.training!.recipes[0]!;
    const plan = { config, steps, seed: 0, samples: SAMPLES };
    const live = await LiveTraining.create(this.gpu, plan, this.images);
    const lines: TrainingLine[] = [];
    try {
      while (live.step < until) {
        const end = Math.min(until, live.step + config.train.logEvery);
        lines.push(await live.train(end, () => {}));
        await onLine?.(lines.at(-1)!);
      }
    } finally {
      live.destroy();
    }
    return lines;
  }

  /** Frees its memory. */
  destroy(): void {
    this.#loaded?.destroy();
  }
}
