/// <reference lib="dom" />
/**
 * A live chart: a plot (run_log/charts/plot.ts) with a cursor that tells values, by pointer or arrow
 * keys, and a range of steps that can be drawn out.
 *
 * @module
 */
import { type Line, makePlot, paint, type Plot } from "../../../run_log/charts/plot.ts";
import type { AxisOptions } from "../../../run_log/charts/scale.ts";
import { drawn, html, setAttributes, setPaint, setText, svg } from "../../shared/dom.ts";
import { formatCount, formatValue } from "./format.ts";
import { nearest } from "./lines.ts";

/** How lines are drawn. */
export interface ChartView {
  readonly lines: readonly Line[];
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  /** Bounds of x that a person has chosen. */
  readonly range?: readonly [number, number] | null;
  /** What to say where there is nothing to draw. */
  readonly empty: string;
  /** Values of y with a line across, which are to be visible. */
  readonly rules?: readonly number[];
  /** Whether lines have their names at their ends, where colours are told apart by nothing else. */
  readonly named?: boolean;
}

/** What a chart is. */
export interface ChartOptions {
  readonly title: string;
  /** What x is called before a value: "step", "|k| =". */
  readonly xName: string;
  /** Gets the place of the cursor, null where it has left. */
  readonly onCursor?: (x: number | null) => void;
  /** Gets a range of x that was drawn out. */
  readonly onRange?: (range: [number, number]) => void;
}

/** Space around the plot, in pixels. */
const LEFT = 46, RIGHT = 14, TOP = 10, BOTTOM = 24;
/** The same where lines have names. */
const RIGHT_NAMED = 52;
/** Pixels that a pointer must be drawn over for a range to be meant. */
const LEAST_RANGE = 12;
/** Values that are told at once. */
const MOST_ROWS = 14;

/** A chart; put its `element` into the page, and call `draw`. */
export class LineChart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #svg = svg("svg", { "aria-hidden": true });
  readonly #shapes = svg("g");
  readonly #cursor = svg("g", { class: "cursor" });
  readonly #selection = svg("rect", { class: "selection", display: "none" });
  readonly #frame: HTMLElement;
  readonly #about = html("p");
  readonly #empty = html("p", { class: "empty" });
  readonly #tip = html("div", { class: "tip", hidden: true });
  /** Says values to those who cannot see them. */
  readonly #said = html("p", { class: "unseen", "aria-live": "polite" });
  #view: ChartView | null = null;
  #size = { width: 0, height: 0 };
  #drawn: Plot | null = null;
  #at: number | null = null;
  #from: number | null = null;

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#svg.append(this.#shapes, this.#selection, this.#cursor);
    this.#frame = html(
      "div",
      { class: "plot", tabindex: 0, role: "img", "aria-label": options.title },
      this.#svg,
      this.#empty,
      this.#tip,
    );
    const head = html("header", {}, html("h3", {}, options.title), this.#about);
    this.element = html("section", { class: "card chart" }, head, this.#frame, this.#said);
    this.#listen();
    new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = this.#frame;
      if (width === this.#size.width && height === this.#size.height) return;
      this.#size = { width, height };
      if (this.#view) this.draw(this.#view);
    }).observe(this.#frame);
  }

  /** Says what the chart is about, beside its title. */
  setAbout(text: string): void {
    setText(this.#about, text);
  }

  /** Draws lines. */
  draw(view: ChartView): void {
    this.#view = view;
    const { width, height } = this.#size;
    const lines = view.lines.filter(({ points }) => points.steps.length > 0);
    setText(this.#empty, lines.length > 0 ? "" : view.empty);
    setAttributes(this.#frame, { "aria-label": this.#describe(lines) });
    if (width === 0) return;
    setAttributes(this.#svg, { width, height, viewBox: `0 0 ${width} ${height}` });
    const right = view.named ? RIGHT_NAMED : RIGHT;
    this.#drawn = makePlot({
      frame: {
        ...{ left: LEFT, top: TOP, width: Math.max(1, width - LEFT - right) },
        height: Math.max(1, height - TOP - BOTTOM),
      },
      ...{ x: view.x, y: view.y },
      ...{ lines, range: view.range ?? null, rules: view.rules ?? [], named: view.named ?? false },
    });
    this.#shapes.replaceChildren(...(lines.length > 0 ? this.#drawn.shapes.map(drawn) : []));
    this.showCursor(this.#at, this.#frame.matches(":hover, :focus-visible"));
  }

  /** Shows the values at x, or none; told in words only where a person is at this very chart. */
  showCursor(x: number | null, own = false): void {
    this.#at = x;
    this.#cursor.replaceChildren();
    const lines = this.#view?.lines.filter(({ points }) => points.steps.length > 0) ?? [];
    const plot = this.#drawn;
    if (x === null || !plot?.contains(x) || lines.length === 0) {
      this.#tip.hidden = true;
      return;
    }
    const left = plot.left(x);
    this.#cursor.append(
      svg("line", { x1: left, x2: left, y1: TOP, y2: this.#size.height - BOTTOM }),
    );
    const rows = lines.flatMap((line) => {
      const i = nearest(line.points.steps, x);
      const step = line.points.steps[i]!, value = line.points.values[i]!;
      // A line that ends long before the cursor has nothing to say there.
      if (Math.abs(plot.left(step) - left) > 24) return [];
      const at = { cx: plot.left(step), cy: plot.top(value), r: 3.5 };
      this.#cursor.append(
        drawn({ name: "circle", attributes: { ...paint("", line), ...at }, children: [] }),
      );
      return [{ line, value }];
    });
    this.#tip.hidden = !own || rows.length === 0;
    if (own) this.#tell(x, rows, left);
  }

  #tell(x: number, rows: { line: Line; value: number }[], left: number): void {
    const sorted = rows.toSorted((a, b) => b.value - a.value);
    const head = `${this.#options.xName} ${formatCount(x)}`;
    const list = sorted.slice(0, MOST_ROWS).map(({ line, value }) => {
      const swatch = colour(html("i", { class: "swatch" }), line);
      return html(
        "div",
        {},
        swatch,
        html("span", {}, line.label),
        html("b", {}, formatValue(value)),
      );
    });
    const more = sorted.length - list.length;
    if (more > 0) list.push(html("div", { class: "more" }, `and ${more} more`));
    this.#tip.replaceChildren(html("strong", {}, head), ...list);
    const onRight = left < this.#size.width / 2;
    const { style } = this.#tip;
    style.setProperty("left", onRight ? `${left + 12}px` : "auto");
    style.setProperty("right", onRight ? "auto" : `${this.#size.width - left + 12}px`);
    if (this.#frame.matches(":focus-visible")) {
      const values = sorted.slice(0, MOST_ROWS)
        .map(({ line, value }) => `${line.label} ${formatValue(value)}`);
      setText(this.#said, `${head}: ${values.join(", ")}`);
    }
  }

  /** The chart in a sentence. */
  #describe(lines: readonly Line[]): string {
    const { title } = this.#options;
    if (lines.length === 0) return `${title}: nothing yet`;
    const ends = lines.slice(0, 6).map(({ label, points }) =>
      `${label} ${formatValue(points.values.at(-1)!)}`
    );
    return `${title}, last values: ${ends.join(", ")}. Arrow keys move along the lines`;
  }

  /** All x with a point, in order. */
  #stops(): number[] {
    const steps = this.#view?.lines.flatMap(({ points }) => points.steps) ?? [];
    const seen = [...new Set(steps)].sort((a, b) => a - b);
    return seen.filter((step) => this.#drawn?.contains(step));
  }

  #moveTo(x: number | null): void {
    this.showCursor(x, true);
    this.#options.onCursor?.(x);
  }

  #listen(): void {
    const frame = this.#frame;
    const offset = (event: PointerEvent) => event.clientX - frame.getBoundingClientRect().left;
    frame.addEventListener("pointermove", (event) => {
      const stops = this.#stops();
      const at = offset(event);
      if (this.#from !== null) this.#drawSelection(this.#from, at);
      const places = stops.map((stop) => this.#drawn!.left(stop));
      const i = nearest(places, at);
      this.#moveTo(i < 0 ? null : stops[i]!);
    });
    frame.addEventListener("pointerleave", () => this.#moveTo(null));
    frame.addEventListener("pointerdown", (event) => {
      if (!this.#options.onRange || event.button !== 0 || event.pointerType === "touch") return;
      this.#from = offset(event);
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointerup", (event) => {
      const from = this.#from, to = offset(event);
      this.#from = null;
      setAttributes(this.#selection, { display: "none" });
      if (from === null || Math.abs(to - from) < LEAST_RANGE) return;
      const stops = this.#stops();
      const [low, high] = from < to ? [from, to] : [to, from];
      const inside = stops.filter((stop) =>
        this.#drawn!.left(stop) >= low && this.#drawn!.left(stop) <= high
      );
      if (inside.length > 1) this.#options.onRange?.([inside[0]!, inside.at(-1)!]);
    });
    frame.addEventListener("keydown", (event) => this.#onKey(event));
    frame.addEventListener("blur", () => this.#moveTo(null));
  }

  #onKey(event: KeyboardEvent): void {
    const stops = this.#stops();
    if (stops.length === 0) return;
    const now = this.#at === null ? stops.length : nearest(stops, this.#at);
    const jump = event.shiftKey ? 10 : 1;
    const next = {
      ArrowLeft: now - jump,
      ArrowRight: now + jump,
      Home: 0,
      End: stops.length - 1,
    }[event.key];
    if (event.key === "Escape") this.#moveTo(null);
    if (next === undefined) return;
    event.preventDefault();
    this.#moveTo(stops[Math.max(0, Math.min(stops.length - 1, next))]!);
  }

  #drawSelection(from: number, to: number): void {
    setAttributes(this.#selection, {
      display: undefined,
      x: Math.min(from, to),
      width: Math.abs(to - from),
      y: TOP,
      height: Math.max(0, this.#size.height - TOP - BOTTOM),
    });
  }
}

/** Gives an element the colour of a line. */
export function colour<E extends HTMLElement>(element: E, line: Pick<Line, "colour">): E {
  setPaint(element, paint(element.className, line));
  return element;
}
