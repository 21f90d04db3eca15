/// <reference lib="dom" />
/**
 * Configs of the runs that are shown, side by side: what differs, or everything.
 *
 * @module
 */
import { colourClass } from "../../../run_log/charts/plot.ts";
import { html, setText } from "../../shared/dom.ts";
import { formatSetting } from "./format.ts";
import type { Run } from "./model.ts";

/** Keys that say where and which, not what. */
const PLACES: ReadonlySet<string> = new Set(["run.dir", "data.dir"]);

/** Rows of the table: keys, and whether their values differ between runs. */
export function configRows(runs: readonly Run[]): { key: string; differs: boolean }[] {
  const keys = new Set(runs.flatMap(({ config }) => Object.keys(config ?? {})));
  return [...keys].filter((key) => !PLACES.has(key)).map((key) => {
    const texts = new Set(runs.map(({ config }) => JSON.stringify(config?.[key]) ?? ""));
    return { key, differs: texts.size > 1 };
  });
}

/** The card; `element` goes into the page. */
export class ConfigCard {
  readonly element: HTMLElement;
  readonly #about = html("p");
  readonly #table = html("table", { class: "config" });
  readonly #empty = html("p", { class: "faint" });
  readonly #all = html("input", { type: "checkbox" });
  readonly #search = html("input", {
    ...{ type: "search", class: "search", placeholder: "Filter keys" },
    ...{ "aria-label": "Filter keys of the config", spellcheck: "false" },
  });
  #runs: readonly Run[] = [];
  #colours: ReadonlyMap<string, number> = new Map();
  #drawn = "";

  constructor() {
    const all = html("label", { class: "switch" }, this.#all, html("span", {}, "All keys"));
    this.element = html(
      "section",
      { class: "card wide" },
      html(
        "header",
        {},
        html("h3", {}, "Config"),
        this.#about,
        html("div", { class: "tools" }, this.#search, all),
      ),
      html(
        "div",
        { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Configs" },
        this.#table,
      ),
      this.#empty,
    );
    for (const control of [this.#all, this.#search]) {
      control.addEventListener("input", () => this.#draw());
    }
  }

  /** Shows the configs of runs. */
  update(runs: readonly Run[], colours: ReadonlyMap<string, number>): void {
    this.#runs = runs;
    this.#colours = colours;
    this.#draw();
  }

  #draw(): void {
    const runs = this.#runs.filter(({ config }) => config !== null);
    const rows = configRows(runs);
    const different = rows.filter(({ differs }) => differs).length;
    // With one run there is nothing to compare.
    const everything = this.#all.checked || runs.length < 2;
    const word = this.#search.value.toLowerCase().trim();
    const shown = rows.filter(({ key, differs }) =>
      (everything || differs) && key.toLowerCase().includes(word)
    );
    setText(
      this.#about,
      runs.length < 2
        ? ""
        : `${different} of ${rows.length} keys differ between ${runs.length} runs`,
    );
    setText(
      this.#empty,
      shown.length > 0 ? "" : runs.length === 0 ? "No config yet" : "No key to show",
    );
    const parts = [
      ...runs.map(({ id, info, config }) => [id, info.name, this.#colours.get(id), config]),
      ...shown,
    ];
    const state = JSON.stringify(parts);
    if (state === this.#drawn) return;
    this.#drawn = state;
    this.#table.replaceChildren(...(shown.length > 0 ? this.#parts(runs, shown) : []));
  }

  #parts(runs: readonly Run[], rows: readonly { key: string; differs: boolean }[]): HTMLElement[] {
    const heads = runs.map((run) => {
      const dot = html("i", { class: `swatch ${colourClass(this.#colours.get(run.id) ?? 0)}` });
      return html("th", { scope: "col" }, dot, run.info.name);
    });
    const body = rows.map(({ key, differs }) => {
      const cells = runs.map(({ config }) => html("td", {}, formatSetting(config?.[key])));
      const mark = differs && runs.length > 1 ? "differs" : undefined;
      return html("tr", { class: mark }, html("th", { scope: "row" }, key), ...cells);
    });
    return [
      html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "key"), ...heads)),
      html("tbody", {}, ...body),
    ];
  }
}
