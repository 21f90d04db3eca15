/// <reference lib="dom" />
/**
 * A walk between two seeds: all images of it in a row, and one of them large, by a slider or by itself.
 *
 * @module
 */
import { byId, setText } from "../../shared/dom.ts";
import type { Desk } from "./desk.ts";
import { walk, WALKING_SAMPLERS } from "./fill.ts";
import { numberOf } from "./fill_view.ts";
import type { ModelShelf } from "./model_shelf.ts";
import { paintGrid, squareColumns } from "./paint.ts";
import { SolverForm } from "./solver_form.ts";

/** Milliseconds an image is shown for while the walk plays. */
const BEAT = 120;

/** See the module. */
export class WalkView {
  /** The newest walk, `[count, h, w, c]`. */
  images: Float32Array<ArrayBuffer> | null = null;
  #count = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #solver = new SolverForm(WALKING_SAMPLERS);
  readonly #slider = byId<HTMLInputElement>("walk-at");

  constructor(private readonly shelf: ModelShelf, private readonly desk: Desk) {
    byId("walk-solver").append(this.#solver.element);
    byId<HTMLFormElement>("walk-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.draw();
    });
    this.#slider.addEventListener("input", () => {
      this.#pause();
      this.#show();
    });
    byId("walk-play").addEventListener("click", () => this.#timer ? this.#pause() : this.#play());
    this.reset();
  }

  /** Begins anew with the model that is chosen. */
  reset(): void {
    const { sampler, timesteps } = this.shelf.site.diffusion;
    // The same noise must give the same image.
    this.#solver.show({ ...sampler, eta: 0 }, timesteps);
    this.images = null;
    this.#pause();
  }

  /** Draws the walk. */
  draw(): Promise<void> {
    return this.desk.run(async (tell, signal) => {
      this.#pause();
      const model = await this.shelf.load(tell, signal);
      const { size } = model.site, count = numberOf("walk-count");
      const columns = squareColumns(count), canvas = byId<HTMLCanvasElement>("walk");
      const settings = { from: numberOf("walk-from"), to: numberOf("walk-to"), count };
      const images = await walk(
        model,
        { ...settings, sampler: this.#solver.value },
        ({ move, moves, predicted }) => {
          tell((move + 1) / moves, `Step ${move + 1} of ${moves}`);
          paintGrid(canvas, { images: predicted, count, size, columns });
        },
        signal,
      );
      paintGrid(canvas, { images, count, size, columns });
      [this.images, this.#count] = [images, count];
      this.#slider.max = String(count - 1);
      this.#slider.value = "0";
      this.#show();
      this.#play();
      tell(1, `From seed ${settings.from} to seed ${settings.to}`);
    });
  }

  #show(): void {
    if (!this.images) return;
    const { size } = this.shelf.site, at = Number(this.#slider.value);
    const length = this.images.length / this.#count;
    const images = this.images.subarray(at * length, (at + 1) * length);
    paintGrid(byId("walk-one"), { images, count: 1, size, columns: 1 });
  }

  #play(): void {
    if (!this.images || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    let step = 1;
    setText(byId("walk-play"), "Pause");
    this.#timer = setInterval(() => {
      const at = Number(this.#slider.value);
      if (at + step < 0 || at + step >= this.#count) step = -step;
      this.#slider.value = String(at + step);
      this.#show();
    }, BEAT);
  }

  #pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    setText(byId("walk-play"), "Play");
  }
}
