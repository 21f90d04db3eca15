/// <reference lib="dom" />
/**
 * The list of runs: which are shown, which one is looked at, and how far each is.
 *
 * @module
 */
import { colourClass } from "../../../run_log/charts/plot.ts";
import { html, setAttributes, setChildren, setText } from "../../shared/dom.ts";
import { formatCount, formatDuration } from "./format.ts";
import { type Run, type RunState, secondsLeft, stateOf } from "./model.ts";

/** What the list shows besides the runs. */
export interface RunListView {
  readonly runs: readonly Run[];
  readonly shown: ReadonlySet<string>;
  readonly focus: string | null;
  readonly colours: ReadonlyMap<string, number>;
  /** The server's clock. */
  readonly now: number;
}

/** What a person can do in the list. */
export interface RunListActions {
  toggle(ids: readonly string[], shown: boolean): void;
  focus(id: string): void;
}

/** Lists with fewer runs need no search. */
const SEARCHED_FROM = 7;

/** A list; `element` goes into the page. */
export class RunList {
  readonly element: HTMLElement;
  readonly #actions: RunListActions;
  readonly #rows = new Map<string, Row>();
  readonly #list = html("ul", { class: "runs" });
  readonly #count = html("span", { class: "faint" });
  readonly #search = html("input", {
    ...{ type: "search", class: "search", placeholder: "Filter runs", hidden: true },
    ...{ "aria-label": "Filter runs by name", spellcheck: "false" },
  });
  readonly #all = html("button", { type: "button", class: "quiet" });
  #view: RunListView | null = null;

  constructor(actions: RunListActions) {
    this.#actions = actions;
    const summary = html("summary", {}, html("h2", {}, "Runs"), this.#count);
    this.element = html(
      "details",
      { class: "run-list", open: matchMedia("(min-width: 900px)").matches },
      summary,
      html("div", { class: "run-tools" }, this.#search, this.#all),
      this.#list,
    );
    this.#search.addEventListener("input", () => this.#view && this.update(this.#view));
    this.#all.addEventListener("click", () => {
      const ids = this.#found().map(({ id }) => id);
      this.#actions.toggle(ids, !ids.every((id) => this.#view!.shown.has(id)));
    });
  }

  /** Shows runs as they are now. */
  update(view: RunListView): void {
    this.#view = view;
    const running = view.runs.filter((run) => stateOf(run, view.now) === "running").length;
    setText(this.#count, `${view.runs.length}${running > 0 ? ` · ${running} running` : ""}`);
    this.#search.hidden = view.runs.length < SEARCHED_FROM;
    const found = this.#found();
    setText(this.#all, found.every(({ id }) => view.shown.has(id)) ? "Hide all" : "Show all");
    this.#all.hidden = found.length < 2;
    for (const id of this.#rows.keys()) {
      if (!view.runs.some((run) => run.id === id)) this.#rows.delete(id);
    }
    setChildren(this.#list, found.map((run) => this.#row(run, view).element));
  }

  #found(): Run[] {
    const words = this.#search.value.toLowerCase().split(/\s+/);
    return this.#view?.runs.filter(({ info: { name } }) =>
      words.every((word) => name.toLowerCase().includes(word))
    ) ?? [];
  }

  #row(run: Run, view: RunListView): Row {
    let row = this.#rows.get(run.id);
    if (!row) this.#rows.set(run.id, row = new Row(run.id, this.#actions));
    row.update(run, view);
    return row;
  }
}

/** What a state is called. */
export function stateText(run: Run, now: number): string {
  const state = stateOf(run, now);
  if (state !== "quiet") {
    return { waiting: "Starting", running: "Running", finished: "Done" }[state];
  }
  return `Quiet for ${formatDuration((now - (run.info.updated ?? now)) / 1000)}`;
}

class Row {
  readonly element: HTMLElement;
  readonly #box = html("input", { type: "checkbox" });
  readonly #name = html("span", { class: "name" });
  readonly #state = html("span", { class: "state" });
  readonly #bar = html("i");
  readonly #steps = html("span", { class: "steps" });
  readonly #left = html("span", { class: "left" });
  readonly #pick: HTMLButtonElement;
  #colour = "";

  constructor(id: string, actions: RunListActions) {
    this.#pick = html(
      "button",
      { type: "button", class: "pick" },
      html("span", { class: "first" }, this.#name, this.#state),
      html("span", { class: "bar" }, this.#bar),
      html("span", { class: "second" }, this.#steps, this.#left),
    );
    this.element = html("li", { class: "run" }, html("label", {}, this.#box), this.#pick);
    this.#box.addEventListener("change", () => actions.toggle([id], this.#box.checked));
    this.#pick.addEventListener("click", () => actions.focus(id));
  }

  update(run: Run, { shown, focus, colours, now }: RunListView): void {
    const { name, step, steps, path } = run.info;
    const state: RunState = stateOf(run, now);
    const colour = colourClass(colours.get(run.id) ?? 0);
    if (colour !== this.#colour) {
      if (this.#colour !== "") this.element.classList.remove(this.#colour);
      this.element.classList.add(this.#colour = colour);
    }
    this.#box.checked = shown.has(run.id);
    setAttributes(this.#box, { "aria-label": `Show ${name} in charts` });
    setAttributes(this.#pick, { "aria-pressed": `${focus === run.id}`, title: path });
    setAttributes(this.element, { "data-state": state });
    setText(this.#name, name);
    setText(this.#state, stateText(run, now));
    this.#bar.style.setProperty("width", `${100 * Math.min(1, step / (steps ?? Infinity))}%`);
    setText(
      this.#steps,
      steps === null ? formatCount(step) : `${formatCount(step)} / ${formatCount(steps)}`,
    );
    const left = secondsLeft(run, now);
    setText(
      this.#left,
      state === "running" && left !== null ? `${formatDuration(left)} left` : "",
    );
  }
}
