/// <reference lib="dom" />
/**
 * Drawing images of a model: solver, seeds, classes, pictures as they come, a strip and the spectrum.
 *
 * @module
 */
import { byId, html } from "../../shared/dom.ts";
import type { Desk } from "./desk.ts";
import { drawImages } from "./draw.ts";
import type { LoadedModel } from "./loaded_model.ts";
import type { ModelShelf } from "./model_shelf.ts";
import { paintGrid, savePng, squareColumns } from "./paint.ts";
import { SolverForm } from "./solver_form.ts";
import { SpectrumChart } from "./spectrum.ts";
import { Strip } from "./strip.ts";

/** Images that were drawn, for scripts of the page and its tests. */
export interface DrawnImages {
  readonly images: Float32Array<ArrayBuffer>;
  readonly seeds: readonly number[];
  readonly milliseconds: number;
}

/** See the module. */
export class SampleView {
  /** The newest images. */
  drawn: DrawnImages | null = null;
  readonly #solver = new SolverForm();
  readonly #strip = new Strip();
  readonly #spectrum = new SpectrumChart();
  readonly #canvas = byId<HTMLCanvasElement>("samples");
  readonly #seed = byId<HTMLInputElement>("seed");
  readonly #count = byId<HTMLSelectElement>("count");
  readonly #shown = byId<HTMLSelectElement>("shown");
  readonly #class = byId<HTMLSelectElement>("class");
  readonly #guidance = byId<HTMLInputElement>("guidance");

  constructor(private readonly shelf: ModelShelf, private readonly desk: Desk) {
    byId("sample-solver").append(this.#solver.element);
    byId("strip").append(this.#strip.element);
    byId("spectrum").append(this.#spectrum.element);
    byId<HTMLFormElement>("sample-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.draw();
    });
    byId("next-seeds").addEventListener("click", () => {
      this.#seed.value = String(this.#firstSeed + Number(this.#count.value));
      void this.draw();
    });
    byId("save").addEventListener("click", () => void savePng(this.#canvas, "samples.png"));
    this.reset();
  }

  /** Begins anew with the model that is chosen. */
  reset(): void {
    const { site } = this.shelf;
    this.#solver.show(site.diffusion.sampler, site.diffusion.timesteps);
    this.#spectrum.show(null, site.size, site.spectrum);
    const each = html("option", { value: "" }, "by seed");
    const named = site.classes?.map((name, i) => html("option", { value: i }, name)) ?? [];
    this.#class.replaceChildren(each, ...named);
    byId("class-field").hidden = byId("guidance-field").hidden = named.length === 0;
  }

  /** Draws what the form says. */
  draw(): Promise<void> {
    return this.desk.run(async (tell, signal) => {
      const { site } = this.shelf, { size } = site;
      const model = await this.shelf.load(tell, signal);
      const count = Number(this.#count.value), columns = squareColumns(count);
      const seeds = Array.from({ length: count }, (_, i) => this.#firstSeed + i);
      this.#strip.clear();
      const paint = (images: Float32Array) =>
        paintGrid(this.#canvas, { images, count, size, columns });
      const started = performance.now();
      const settings = { sampler: this.#solver.value, seeds, ...this.#classesOf(model, count) };
      const images = await drawImages(model, settings, (step) => {
        this.#strip.add(step, size);
        paint(this.#shown.value === "noisy" ? step.after : step.predicted);
        tell((step.move + 1) / step.moves, `Step ${step.move + 1} of ${step.moves}`);
      }, signal);
      paint(images);
      this.#spectrum.show(images, size, site.spectrum);
      const milliseconds = performance.now() - started;
      tell(1, `${count} images in ${(milliseconds / 1000).toFixed(1)} s`);
      this.drawn = { images, seeds, milliseconds };
    });
  }

  get #firstSeed(): number {
    return Math.max(0, Math.floor(Number(this.#seed.value) || 0));
  }

  /** The class of each image and how far it is followed. */
  #classesOf(model: LoadedModel, count: number) {
    if (model.classes === 0) return {};
    const chosen = this.#class.value, scale = Number(this.#guidance.value);
    return {
      ...chosen === "" ? {} : { labels: new Array<number>(count).fill(Number(chosen)) },
      ...model.guided && scale !== 1 ? { guidance: { scale, interval: null, rescale: 0 } } : {},
    };
  }
}
