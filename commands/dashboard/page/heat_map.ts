/// <reference lib="dom" />
/**
 * The map of losses by band of |k| and bin of timesteps, as a table.
 *
 * @module
 */
import { BAND_MAP_TITLE } from "../../../run_log/charts/descriptions.ts";
import { bandMapOf, cellLook, type HeatMap } from "../../../run_log/charts/heat_map.ts";
import type { BandMap } from "../protocol.ts";
import { html, setText } from "../../shared/dom.ts";
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
      html("header", {}, html("h3", {}, BAND_MAP_TITLE), this.#about),
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
    this.#table.replaceChildren(...(map ? tableParts(bandMapOf(BAND_MAP_TITLE, map)) : []));
  }
}

/** Rows from the noisiest timesteps down, a column a band. */
function tableParts(map: HeatMap): HTMLElement[] {
  const corner = html("th", { class: "corner" }, "t \\ |k|");
  const head = map.columns.map((label) => html("th", { scope: "col" }, label));
  const rows = map.rows.map((label, row) =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, label),
      ...map.columns.map((_, column) => cell(map, row, column)),
    )
  );
  return [
    html("thead", {}, html("tr", {}, corner, ...head)),
    html("tbody", {}, ...rows.toReversed()),
  ];
}

function cell(map: HeatMap, row: number, column: number): HTMLElement {
  const element = html("td"), value = map.values[row]?.[column] ?? null;
  const { text, fill, ink } = cellLook(map, row, column);
  element.textContent = text;
  if (value !== null && value > 0) {
    element.style.setProperty("background", fill);
    element.style.setProperty("color", ink);
  }
  return element;
}
