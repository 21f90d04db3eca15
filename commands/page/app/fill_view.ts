/// <reference lib="dom" />
/**
 * Inpainting: an image of a seed or of the reader's own, what is wiped of it, and what the model puts
 * there.
 *
 * @module
 */
import { byId } from "../../shared/dom.ts";
import type { Desk } from "./desk.ts";
import { drawImages } from "./draw.ts";
import { fillIn, FILLING_SAMPLERS } from "./fill.ts";
import { MaskBoard } from "./mask_board.ts";
import type { ModelShelf } from "./model_shelf.ts";
import { paintGrid } from "./paint.ts";
import { SolverForm } from "./solver_form.ts";

/** Images that are made of one. */
const WAYS = 4;
/** Steps that are gone over again at once, where there are so many. */
const JUMP = 10;

/** See the module. */
export class FillView {
  /** The newest images, `[4, h, w, c]`. */
  filled: Float32Array<ArrayBuffer> | null = null;
  readonly board: MaskBoard;
  readonly #solver = new SolverForm(FILLING_SAMPLERS);

  constructor(private readonly shelf: ModelShelf, private readonly desk: Desk) {
    byId("fill-solver").append(this.#solver.element);
    this.board = new MaskBoard(byId("fill-board"), shelf.site.size);
    const brush = byId<HTMLInputElement>("brush");
    brush.addEventListener("input", () => this.board.brush = Number(brush.value));
    byId("fill-clear").addEventListener("click", () => this.board.clear());
    byId("fill-image").addEventListener("click", () => void this.drawImage());
    const file = byId<HTMLInputElement>("fill-file");
    file.addEventListener("change", () => void this.#takeFile(file.files?.[0]));
    byId<HTMLFormElement>("fill-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.fill();
    });
    this.reset();
  }

  /** Begins anew with the model that is chosen. */
  reset(): void {
    const { site } = this.shelf;
    this.#solver.show(site.diffusion.sampler, site.diffusion.timesteps);
    const { steps } = this.#solver.value;
    const jump = Math.min(JUMP, Math.max(1, (steps ?? site.diffusion.timesteps) - 1));
    byId<HTMLInputElement>("jump").value = String(jump);
    this.board.show(null, site.size);
  }

  /** Draws the image of the seed. */
  drawImage(): Promise<void> {
    return this.desk.run(async (tell, signal) => {
      const model = await this.shelf.load(tell, signal);
      const settings = {
        sampler: this.shelf.site.diffusion.sampler,
        seeds: [numberOf("fill-seed")],
      };
      const image = await drawImages(model, settings, ({ move, moves, predicted }) => {
        tell((move + 1) / moves, `Step ${move + 1} of ${moves}`);
        this.board.show(predicted, model.site.size);
      }, signal);
      this.board.show(image, model.site.size);
      tell(1, "Now wipe a part of it");
    });
  }

  /** Fills in what is wiped. */
  fill(): Promise<void> {
    return this.desk.run(async (tell, signal) => {
      const { image, wiped } = this.board;
      if (!image) throw new Error("There is no image yet: draw one, or take one of yours.");
      if (!wiped.includes(1)) throw new Error("Nothing is wiped yet: draw over the image.");
      const model = await this.shelf.load(tell, signal);
      const { size } = model.site, canvas = byId<HTMLCanvasElement>("filled");
      const first = numberOf("fill-seed");
      const images = await fillIn(model, {
        ...{ image, wiped, sampler: this.#solver.value },
        seeds: Array.from({ length: WAYS }, (_, i) => first + i),
        ...{ resample: numberOf("resample"), jump: numberOf("jump") },
      }, ({ move, moves, after }) => {
        tell((move + 1) / moves, `Step ${move + 1} of ${moves}`);
        paintGrid(canvas, { images: after, count: WAYS, size, columns: 2 });
      }, signal);
      paintGrid(canvas, { images, count: WAYS, size, columns: 2 });
      this.filled = images;
      tell(1, "Filled in, in four ways");
    });
  }

  /** An image of the reader's, cut to the middle and brought to size. */
  async #takeFile(file: File | undefined): Promise<void> {
    if (!file) return;
    const { size } = this.shelf.site, { height, width, channels } = size;
    try {
      const bitmap = await createImageBitmap(file);
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d")!;
      context.imageSmoothingQuality = "high";
      const scale = Math.max(width / bitmap.width, height / bitmap.height);
      const [w, h] = [bitmap.width * scale, bitmap.height * scale];
      context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
      const { data } = context.getImageData(0, 0, width, height);
      const image = new Float32Array(height * width * channels);
      for (let p = 0; p < height * width; p++) {
        const rgb = [data[4 * p]!, data[4 * p + 1]!, data[4 * p + 2]!];
        const grey = 0.299 * rgb[0]! + 0.587 * rgb[1]! + 0.114 * rgb[2]!;
        for (let c = 0; c < channels; c++) {
          image[p * channels + c] = (channels === 3 ? rgb[c]! : grey) / 127.5 - 1;
        }
      }
      this.board.show(image, size);
    } catch {
      this.desk.complain(`${file.name} is no picture that this browser can read.`);
    }
  }
}

/** The whole number of a field, of at least its least. */
export function numberOf(id: string): number {
  const { value, min } = byId<HTMLInputElement>(id);
  return Math.max(Number(min), Math.floor(Number(value) || 0));
}
