/// <reference lib="dom" />
/**
 * A strip: how a few images come about, the noisy image above what the network predicts of it, from
 * the first step to the last.
 *
 * @module
 */
import { html, setChildren } from "../../shared/dom.ts";
import type { SiteSize } from "../site.ts";
import type { DrawnStep } from "./draw.ts";
import { paintGrid } from "./paint.ts";

/** Columns and images of a strip. */
const COLUMNS = 8, IMAGES = 2;

/** A strip of a sample that is being drawn. */
export class Strip {
  readonly element: HTMLElement = html("div", { class: "strip" });
  #columns: HTMLElement[] = [];

  /** Begins anew. */
  clear(): void {
    this.#columns = [];
    setChildren(this.element, []);
  }

  /** Adds a step if it is one of those that are shown. */
  add({ before, predicted, move, moves, level }: DrawnStep, size: SiteSize): void {
    const shown = Math.min(COLUMNS, moves);
    const at = this.#columns.length;
    const due = shown === 1 ? moves - 1 : Math.round(at * (moves - 1) / (shown - 1));
    if (at >= shown || move < due) return;
    const length = size.height * size.width * size.channels;
    const count = Math.min(IMAGES, before.length / length);
    const pairs = new Float32Array(2 * count * length);
    for (let i = 0; i < count; i++) {
      const own = (images: Float32Array) => images.subarray(i * length, (i + 1) * length);
      pairs.set(own(before), 2 * i * length);
      pairs.set(own(predicted), (2 * i + 1) * length);
    }
    const canvas = html("canvas", {
      "aria-label": `Step ${move + 1} of ${moves}: noisy images above predicted ones`,
      role: "img",
    });
    paintGrid(canvas, { images: pairs, count: 2 * count, size, columns: 1 });
    this.#columns.push(html("div", {}, canvas, html("span", {}, `t ${format(level)}`)));
    setChildren(this.element, this.#columns);
  }
}

/** Whole timesteps, and three digits of continuous ones. */
function format(level: number): string {
  return Number.isInteger(level) ? String(level) : level.toPrecision(3);
}
