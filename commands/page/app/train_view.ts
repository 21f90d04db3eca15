/// <reference lib="dom" />
/**
 * Training before one's eyes: the loss of each band of frequencies, how much of each band is in what is
 * generated, and samples.
 *
 * @module
 */
import type { ImageSet } from "../../../data/dataset.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { Line } from "../../../run_log/charts/plot.ts";
import { byId, html, setText } from "../../shared/dom.ts";
import type { SiteTraining } from "../site.ts";
import { Chart } from "./chart.ts";
import type { Desk, Tell } from "./desk.ts";
import { fetchImages } from "./image_set.ts";
import { LiveTraining, type TrainingLine } from "./live_training.ts";
import { paintGrid, squareColumns } from "./paint.ts";
import { bandLabel, meanLogPower, octavesOf } from "./spectrum.ts";

/** Images of a sample. */
const SAMPLES = 16;
/** Samples of a run, about; and steps between two at least. */
const LOOKS = 12, LEAST_STEPS = 20;

/** Power of samples over the data's, by octave, after so many steps. */
interface Look {
  readonly step: number;
  readonly power: readonly number[];
}

/** See the module. */
export class TrainView {
  /** Of the run at hand. */
  lines: TrainingLine[] = [];
  looks: Look[] = [];
  /** Whether the newest run came to its end. */
  finished = false;
  #images: ImageSet | null = null;
  readonly #losses = new Chart(
    "Loss by frequency",
    "Mean error in the noise; 1 is a network that says nothing.",
  );
  readonly #emergence = new Chart(
    "What has emerged",
    "Power of samples over the power of the data, by frequency; 1 is as it should be.",
  );
  readonly #recipe = byId<HTMLSelectElement>("recipe");

  constructor(
    private readonly gpu: Gpu,
    private readonly training: SiteTraining,
    private readonly desk: Desk,
  ) {
    const { recipes, data, count, size: { height, width } } = training;
    byId("train-charts").append(this.#losses.element, this.#emergence.element);
    this.#recipe.append(...recipes.map(({ name }, i) => html("option", { value: i }, name)));
    const describe = () => setText(byId("recipe-about"), this.#chosen.about);
    this.#recipe.addEventListener("change", describe);
    describe();
    setText(
      byId("train-about"),
      `A fresh ${recipes[0]!.config.model.name} on ${
        count.toLocaleString("en")
      } images of ${data}, ${height}x${width}, in batches of ${
        recipes[0]!.config.train.batchSize
      }.`,
    );
    byId("train-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.start();
    });
    this.#draw();
  }

  /** Trains as the form says. */
  start(): Promise<void> {
    return this.desk.run(async (tell, signal) => {
      [this.lines, this.looks, this.finished] = [[], [], false];
      const images = this.#images ??= await fetchImages(
        this.training,
        (at, of) => tell(at / of, "Fetching images"),
        signal,
      );
      this.#showData(images);
      tell(0, "Compiling kernels");
      const steps = valueOf("train-steps", 10), seed = valueOf("train-seed", 0);
      const plan = { config: this.#chosen.config, steps, seed, samples: SAMPLES };
      const live = await LiveTraining.create(this.gpu, plan, images);
      try {
        await this.#train(live, steps, tell, signal);
        this.finished = true;
      } finally {
        live.destroy();
      }
    });
  }

  get #chosen() {
    return this.training.recipes[Math.max(0, this.#recipe.selectedIndex)]!;
  }

  async #train(live: LiveTraining, steps: number, tell: Tell, signal: AbortSignal): Promise<void> {
    const every = this.#chosen.config.train.logEvery;
    const between = Math.max(LEAST_STEPS, every * Math.ceil(steps / LOOKS / every));
    while (live.step < steps) {
      const end = Math.min(steps, live.step + every);
      const line = await live.train(end, () => {
        tell(live.step / steps, `Step ${live.step} of ${steps}`);
      }, signal);
      this.lines.push(line);
      if (end % between === 0 || end === steps) await this.#look(live, signal);
      this.#draw();
      this.#tellFacts(line, steps);
    }
    tell(1, `Trained ${steps} steps`);
  }

  async #look(live: LiveTraining, signal: AbortSignal): Promise<void> {
    const { size, spectrum } = this.training;
    const images = await live.sample(signal);
    paintGrid(byId("train-samples"), {
      ...{ images, count: SAMPLES, size, columns: squareColumns(SAMPLES) },
    });
    setText(byId("samples-step"), `After ${live.step} steps, from the same noise each time.`);
    const power = meanLogPower(images, size);
    this.looks.push({
      step: live.step,
      power: octavesOf(power.length).map(({ rings }) => {
        const sum = rings.reduce((sum, ring) => sum + power[ring]! - spectrum.mean[ring]!, 0);
        return Math.exp(sum / rings.length);
      }),
    });
  }

  #showData({ images, count }: ImageSet): void {
    const { size } = this.training, shown = Math.min(SAMPLES, count);
    const length = size.height * size.width * size.channels;
    const values = Float32Array.from(
      images.subarray(0, shown * length),
      (byte) => byte / 127.5 - 1,
    );
    const columns = squareColumns(shown);
    paintGrid(byId("train-data"), { images: values, count: shown, size, columns });
  }

  #draw(): void {
    const { lines, looks } = this;
    const x = { label: "step", include: [0, valueOf("train-steps", 10)] };
    const bands = lines[0]?.bands ?? [];
    const steps = lines.map(({ step }) => step);
    this.#losses.show({
      ...{ x, y: { label: "loss", log: true, include: [0.1, 1] } },
      lines: bands.map((low, band): Line => {
        const label = bandLabel(low, Math.max(low, (bands[band + 1] ?? 2 * low) - 1));
        const values = lines.map(({ byBand }) => byBand[band]!);
        return { id: label, label, colour: band, points: { steps, values } };
      }),
    });
    const octaves = octavesOf(this.training.spectrum.mean.length);
    this.#emergence.show({
      ...{ x, y: { label: "power", log: true, include: [0.1, 1, 3] }, rules: [1] },
      lines: octaves.map(({ label }, band): Line => ({
        ...{ id: label, label, colour: band + 1, marks: true },
        points: {
          steps: looks.map(({ step }) => step),
          values: looks.map(({ power }) => power[band]!),
        },
      })),
    });
  }

  #tellFacts({ loss, milliseconds, step }: TrainingLine, steps: number): void {
    const left = (steps - step) * milliseconds / 1000;
    const facts = {
      "Loss": loss.toPrecision(3),
      "A step": `${milliseconds.toFixed(0)} ms`,
      "Left": left > 90 ? `${Math.ceil(left / 60)} min` : `${Math.ceil(left)} s`,
    };
    byId("train-facts").replaceChildren(
      ...Object.entries(facts).flatMap((
        [name, value],
      ) => [html("dt", {}, name), html("dd", {}, value)]),
    );
  }
}

/** The whole number of a field, of at least so much. */
function valueOf(id: string, least: number): number {
  return Math.max(least, Math.floor(Number(byId<HTMLInputElement>(id).value) || 0));
}
