/// <reference lib="dom" />
/**
 * The run that is looked at, in a line of numbers.
 *
 * @module
 */
import { describeUnread } from "../../../run_log/log_lines.ts";
import { colourClass } from "../../../run_log/charts/plot.ts";
import { html, setText } from "../../shared/dom.ts";
import { formatClock, formatCount, formatDuration, formatName, formatValue } from "./format.ts";
import { type Run, secondsLeft, stateOf } from "./model.ts";
import { stateText } from "./run_list.ts";

/** A number with what it is and a remark. */
class Tile {
  readonly element: HTMLElement;
  readonly #label = html("span", { class: "label" });
  readonly #value = html("span", { class: "value" });
  readonly #note = html("span", { class: "note" });

  constructor() {
    this.element = html("div", { class: "tile" }, this.#label, this.#value, this.#note);
  }

  set([label, value, note]: readonly [label: string, value: string, note: string]): void {
    setText(this.#label, label);
    setText(this.#value, value);
    setText(this.#note, note);
  }
}

/** The line; `element` goes into the page. */
export class Summary {
  readonly element: HTMLElement;
  readonly #name = html("h1");
  readonly #dot = html("i", { class: "swatch" });
  readonly #state = html("span", { class: "chip" });
  readonly #about = html("p", { class: "faint about" });
  readonly #damage = html("p", { class: "damage" });
  readonly #tiles = Array.from({ length: 6 }, () => new Tile());

  constructor() {
    this.element = html(
      "section",
      { class: "summary", "aria-label": "The chosen run" },
      html("header", {}, html("div", {}, this.#dot, this.#name, this.#state), this.#about),
      this.#damage,
      html("div", { class: "tiles" }, ...this.#tiles.map(({ element }) => element)),
    );
  }

  /** Shows a run as it is now. */
  update(run: Run, colour: number, now: number): void {
    setText(this.#name, run.info.name);
    setText(this.#state, stateText(run, now));
    this.#state.dataset.state = stateOf(run, now);
    const dot = `swatch ${colourClass(colour)}`;
    if (this.#dot.className !== dot) this.#dot.className = dot;
    setText(this.#about, aboutRun(run));
    const { unread } = run.info;
    setText(this.#damage, unread ? `log.jsonl is damaged: ${describeUnread(unread)}` : "");
    [progress(run), timeLeft(run, now), loss(run), validation(run), speed(run), quality(run)]
      .forEach((tile, i) => this.#tiles[i]!.set(tile));
  }
}

type TileText = readonly [label: string, value: string, note: string];

/** Height and width as a person writes them. */
function sizeText(size: unknown): string {
  return Array.isArray(size) ? size.join("×") : `${size}×${size}`;
}

/** What a run is, from its config. */
function aboutRun({ config, info }: Run): string {
  if (!config) return info.path;
  const text = (key: string) => `${config[key] ?? "?"}`;
  const size = config["data.size"] ?? null;
  return [
    text("data.name") + (size === null ? "" : ` at ${sizeText(size)}`),
    text("model.name") +
    ("model.channels" in config ? `, ${text("model.channels")} channels` : ""),
    `${text("diffusion.target")} target, ${text("diffusion.schedule")} schedule`,
    `batches of ${text("train.batchSize")}`,
  ].join("  ·  ");
}

function progress({ info: { step, steps } }: Run): TileText {
  const share = steps === null ? "" : `${(100 * Math.min(1, step / steps)).toFixed(1)} %`;
  return ["Step", formatCount(step), steps === null ? "" : `${share} of ${formatCount(steps)}`];
}

function timeLeft(run: Run, now: number): TileText {
  const left = secondsLeft(run, now), { updated, secondsAStep } = run.info;
  const state = stateOf(run, now);
  if (state === "finished") {
    return ["Time left", "Done", updated === null ? "" : formatClock(updated, now)];
  }
  const pace = secondsAStep === null ? "" : `${formatValue(secondsAStep)} s a step`;
  if (left === null || state !== "running") return ["Time left", "–", pace];
  return ["Time left", formatDuration(left), `ends ${formatClock(now + 1000 * left, now)}`];
}

function lowest(run: Run, series: string, label: string, empty: string): TileText {
  const points = run.series.get(series);
  const last = points?.values.at(-1);
  if (!points || last === undefined) return [label, "–", empty];
  let best = 0;
  points.values.forEach((value, i) => {
    if (value < points.values[best]!) best = i;
  });
  const at = formatCount(points.steps[best]!);
  return [label, formatValue(last), `lowest ${formatValue(points.values[best]!)} at ${at}`];
}

function loss(run: Run): TileText {
  return lowest(run, "loss", "Training loss", "no line yet");
}

function validation(run: Run): TileText {
  return lowest(run, "valLoss", "Validation loss", expected(run, "train.evalEvery"));
}

function speed(run: Run): TileText {
  const rates = run.series.get("imagesPerSecond")?.values ?? [];
  const last = rates.at(-1);
  if (last === undefined) return ["Images a second", "–", "no line yet"];
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  return ["Images a second", formatValue(last), `mean ${formatValue(mean)}`];
}

/** A metric if the run has one, else how far its spectra are from the data's. */
function quality(run: Run): TileText {
  for (const metric of ["frechetDistance", "spectralDistance"]) {
    const name = `metric/ema/${metric}`;
    if (run.series.has(name)) return lowest(run, name, formatName(metric), "");
  }
  const last = run.spectra.at(-1);
  if (!last) return ["Spectral distance", "–", expected(run, "train.sampleEvery")];
  const best = run.spectra.reduce((a, b) => b.distance < a.distance ? b : a);
  const note = `lowest ${formatValue(best.distance)} at ${formatCount(best.step)}`;
  return ["Spectral distance", formatValue(last.distance), note];
}

/** When the first value of something that comes every so many steps is due. */
export function expected({ config, info: { step } }: Run, key: string): string {
  const every = config?.[key];
  if (typeof every !== "number") return "";
  if (every === 0) return "switched off";
  return step < every ? `first at step ${formatCount(every)}` : "none yet";
}
