/// <reference lib="dom" />
/**
 * A chart of lines: axes, lines with what they are smoothed from or the range of their seeds, a cursor
 * that tells values, by pointer or arrow keys, and a range of steps that can be drawn out.
 *
 * @module
 */
import { makeScale, type Scale, type Tick } from "../../../run_log/charts/scale.ts";
import { colourClass, html, setAttributes, setText, svg } from "./dom.ts";
import { formatCount, formatTickLabel, formatValue } from "./format.ts";
import { type Line, nearest, visible } from "./lines.ts";

/** How lines are drawn. */
export interface ChartView {
  readonly lines: readonly Line[];
  readonly logX: boolean;
  readonly logY: boolean;
  /** Bounds of x that a person has chosen. */
  readonly range?: readonly [number, number] | null;
  /** What to say where there is nothing to draw. */
  readonly empty: string;
  readonly xTicks?: readonly Tick[];
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
/** Pixels between two names. */
const NAME_HEIGHT = 13;
/** Pixels that a pointer must be drawn over for a range to be meant. */
const LEAST_RANGE = 12;
/** Points that are marked, in lines that have marks. */
const MOST_MARKS = 40;
/** Values that are told at once. */
const MOST_ROWS = 14;

/** A chart; put its `element` into the page, and call `draw`. */
export class LineChart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #svg = svg("svg", { "aria-hidden": true });
  readonly #plot = svg("g");
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
  #x: Scale | null = null;
  #y: Scale | null = null;
  #at: number | null = null;
  #from: number | null = null;

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#svg.append(this.#plot, this.#selection, this.#cursor);
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
    this.#makeScales(lines, view);
    this.#plot.replaceChildren(...(lines.length > 0 ? this.#axes(view) : []));
    // An inner picture cuts off what a chosen range leaves out.
    const [left, wide, high] = [
      LEFT - 4,
      Math.max(1, width - LEFT - this.#right + 8),
      height - BOTTOM + 4,
    ];
    const inside = svg("svg", {
      ...{ x: left, width: wide, height: Math.max(1, high) },
      viewBox: `${left} 0 ${wide} ${Math.max(1, high)}`,
    });
    inside.append(...lines.flatMap((line) => this.#lineShapes(line)));
    this.#plot.append(inside, ...(view.named ? this.#names(lines) : []));
    this.showCursor(this.#at, this.#frame.matches(":hover, :focus-visible"));
  }

  /** Shows the values at x, or none; told in words only where a person is at this very chart. */
  showCursor(x: number | null, own = false): void {
    this.#at = x;
    this.#cursor.replaceChildren();
    const lines = this.#view?.lines.filter(({ points }) => points.steps.length > 0) ?? [];
    const scale = this.#x;
    if (x === null || !scale || lines.length === 0 || !inRange(scale.place(x))) {
      this.#tip.hidden = true;
      return;
    }
    const left = this.#left(x);
    this.#cursor.append(
      svg("line", { x1: left, x2: left, y1: TOP, y2: this.#size.height - BOTTOM }),
    );
    const rows = lines.flatMap((line) => {
      const i = nearest(line.points.steps, x);
      const step = line.points.steps[i]!, value = line.points.values[i]!;
      // A line that ends long before the cursor has nothing to say there.
      if (Math.abs(this.#left(step) - left) > 24) return [];
      const dot = svg("circle", { cx: this.#left(step), cy: this.#top(value), r: 3.5 });
      colour(dot, line);
      this.#cursor.append(dot);
      return [{ line, value }];
    });
    this.#tip.hidden = !own || rows.length === 0;
    if (own) this.#tell(x, rows, left);
  }

  #makeScales(lines: readonly Line[], { logX, logY, range, xTicks, rules = [] }: ChartView): void {
    const ticks = xTicks ? { ticks: xTicks } : {};
    const xs = range ?? lines.flatMap(({ points: { steps } }) => [
      // On a logarithmic axis the first step that has a place there.
      ...(logX ? [steps.find((step) => step > 0) ?? NaN] : steps.slice(0, 1)),
      ...steps.slice(-1),
    ]);
    const x = makeScale(xs, { label: "", log: logX, ...ticks }, 0);
    this.#x = x;
    const values = function* () {
      for (const { points: { steps, values }, low, high } of lines) {
        for (let i = 0; i < steps.length; i++) {
          if (!inRange(x.place(steps[i]!))) continue;
          yield values[i]!;
          if (low) yield low[i]!;
          if (high) yield high[i]!;
        }
      }
    };
    this.#y = makeScale(values(), { label: "", log: logY, include: rules }, 0.05);
  }

  get #right(): number {
    return this.#view?.named ? RIGHT_NAMED : RIGHT;
  }

  #left(x: number): number {
    return LEFT + (this.#x?.place(x) ?? 0) * (this.#size.width - LEFT - this.#right);
  }

  #top(y: number): number {
    return TOP + (1 - (this.#y?.place(y) ?? 0)) * (this.#size.height - TOP - BOTTOM);
  }

  #axes({ rules = [] }: ChartView): SVGElement[] {
    const { width, height } = this.#size;
    const shapes: SVGElement[] = [];
    for (const { value, label } of this.#y!.ticks) {
      if (label === "") continue;
      const y = Math.round(this.#top(value)) + 0.5;
      shapes.push(
        svg("line", { class: "grid", x1: LEFT, x2: width - this.#right, y1: y, y2: y }),
        svg("text", { x: LEFT - 8, y: y + 3.5, "text-anchor": "end" }, formatTickLabel(label)),
      );
    }
    let free = -Infinity;
    for (const { value, label } of this.#x!.ticks) {
      const x = this.#left(value);
      if (label === "" || x < free) continue;
      const text = formatTickLabel(label);
      const reach = 3.4 * text.length;
      // The last label must end inside the chart.
      const shift = Math.min(0, width - 4 - (x + reach));
      shapes.push(svg("text", { x: x + shift, y: height - 7, "text-anchor": "middle" }, text));
      free = x + 2 * reach + 14;
    }
    for (const value of rules) {
      const y = this.#top(value);
      shapes.push(svg("line", { class: "rule", x1: LEFT, x2: width - this.#right, y1: y, y2: y }));
    }
    return shapes;
  }

  #lineShapes(line: Line): SVGElement[] {
    const { points, raw, low, high, dashed, marks } = line;
    const columns = Math.max(1, this.#size.width - LEFT - this.#right);
    const place = (step: number) => this.#x!.place(step);
    const path = (of: Line["points"], className: string, dash?: string) =>
      colour(
        svg("path", {
          class: className,
          d: this.#path(of, visible(of, columns, place)),
          "stroke-dasharray": dash,
        }),
        line,
      );
    const shapes: SVGElement[] = [];
    if (low && high) shapes.push(colour(svg("path", { class: "area", d: this.#area(line) }), line));
    if (raw) shapes.push(path(raw, "line raw"));
    shapes.push(path(points, "line", dashed ? "5 4" : undefined));
    if (marks && points.steps.length <= MOST_MARKS) {
      points.steps.forEach((step, i) => {
        if (!inRange(place(step))) return;
        const at = { cx: this.#left(step), cy: this.#top(points.values[i]!), r: 2.5 };
        shapes.push(colour(svg("circle", at), line));
      });
    }
    return shapes;
  }

  /** Names at the lines' ends, moved apart. */
  #names(lines: readonly Line[]): SVGElement[] {
    const ends = lines.map((line) => ({ line, y: this.#top(line.points.values.at(-1)!) }))
      .filter(({ y }) => Number.isFinite(y)).sort((a, b) => a.y - b.y);
    let lowest = -Infinity;
    return ends.map(({ line, y }) => {
      lowest = Math.max(y, lowest + NAME_HEIGHT);
      const x = this.#size.width - this.#right + 7;
      return colour(svg("text", { class: "name", x, y: lowest + 4 }, line.label), line);
    });
  }

  #path({ steps, values }: Line["points"], kept: readonly number[]): string {
    let path = "", drawing = false;
    for (const i of kept) {
      const x = this.#left(steps[i]!), y = this.#top(values[i]!);
      const there = Number.isFinite(x) && Number.isFinite(y);
      if (there) path += `${drawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      drawing = there;
    }
    return path;
  }

  #area({ points: { steps }, low = [], high = [] }: Line): string {
    const there = steps.map((_, i) => i).filter((i) =>
      Number.isFinite(this.#left(steps[i]!)) && Number.isFinite(this.#top(low[i]!))
    );
    const corner = (i: number, value: number) =>
      `${this.#left(steps[i]!).toFixed(1)} ${this.#top(value).toFixed(1)}`;
    const above = there.map((i) => corner(i, high[i]!));
    const below = there.toReversed().map((i) => corner(i, low[i]!));
    return above.length > 1 ? `M${[...above, ...below].join("L")}Z` : "";
  }

  #tell(x: number, rows: { line: Line; value: number }[], left: number): void {
    const sorted = rows.toSorted((a, b) => b.value - a.value);
    const head = `${this.#options.xName} ${formatCount(x)}`;
    const list = sorted.slice(0, MOST_ROWS).map(({ line, value }) => {
      const swatch = html("i", { class: "swatch" });
      colour(swatch, line);
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
    return seen.filter((step) => inRange(this.#x?.place(step) ?? NaN));
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
      const places = stops.map((stop) => this.#left(stop));
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
      const inside = stops.filter((stop) => this.#left(stop) >= low && this.#left(stop) <= high);
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

function inRange(place: number): boolean {
  return place >= -1e-9 && place <= 1 + 1e-9;
}

/** Gives an element the colour of a line. */
export function colour<E extends HTMLElement | SVGElement>(
  element: E,
  line: Pick<Line, "colour">,
): E {
  if (typeof line.colour === "number") element.classList.add(colourClass(line.colour));
  else if (line.colour === null) element.classList.add("colour-ink");
  else element.style.setProperty("--colour", line.colour);
  return element;
}
