/// <reference lib="dom" />
/**
 * The map of losses by band of |k| and bin of timesteps, as a table.
 *
 * @module
 */
import {
  brightness,
  colourAt,
  SEQUENTIAL,
  shareOf,
  shortNumber,
} from "../../../run_log/charts/colours.ts";
import type { BandMap } from "../protocol.ts";
import { html, setText } from "./dom.ts";
import { formatCount } from "./format.ts";

/** The map; `element` goes into the page. */
export class HeatMapCard {
  readonly element: HTMLElement;
  readonly #about = html("p");
  readonly #table = html("table", { class: "heat" });
  readonly #empty = html("p", { class: "empty" });
  #shown: BandMap | null = null;

  constructor() {
    this.element = html(
      "section",
      { class: "card" },
      html("header", {}, html("h3", {}, "Noise loss by timestep and |k|"), this.#about),
      html("div", { class: "heat-frame" }, this.#table, this.#empty),
    );
  }

  /** Shows a map, or why there is none. */
  update(map: BandMap | null, name: string, empty: string): void {
    const { from, to } = map ?? {};
    setText(
      this.#about,
      map
        ? `${name}, steps ${formatCount(from!)} to ${formatCount(to!)}; 1 = predicts nothing`
        : name,
    );
    setText(this.#empty, map ? "" : empty);
    if (map === this.#shown) return;
    this.#shown = map;
    this.#table.replaceChildren(...(map ? tableParts(map) : []));
  }
}

/** Rows from the noisiest timesteps down, a column a band. */
function tableParts({ timesteps, labels, values }: BandMap): HTMLElement[] {
  const known = values.flat().filter((value): value is number => value !== null && value > 0);
  const range = [Math.min(...known), Math.max(...known)] as const;
  const head = html(
    "tr",
    {},
    html("th", { class: "corner" }, "t \\ |k|"),
    ...labels.map((label) => html("th", { scope: "col" }, label)),
  );
  const rows = values.map((row, bin) => {
    const name = `${timesteps[bin] ?? ""}–${(timesteps[bin + 1] ?? 0) - 1}`;
    return html(
      "tr",
      {},
      html("th", { scope: "row" }, name),
      ...row.map((value) => cell(value, range)),
    );
  });
  return [html("thead", {}, head), html("tbody", {}, ...rows.toReversed())];
}

function cell(value: number | null, range: readonly [number, number]): HTMLElement {
  const element = html("td", {}, value === null ? "" : shortNumber(value));
  if (value !== null && value > 0) {
    const colour = colourAt(SEQUENTIAL, shareOf(value, range));
    element.style.setProperty("background", colour);
    element.style.setProperty("color", brightness(colour) > 0.5 ? "#111" : "#fff");
  }
  return element;
}
