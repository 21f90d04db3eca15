/**
 * Draws lines over axes: the one drawing of the report's charts and of the dashboard's live ones.
 *
 * Hand-written because no library does both at an acceptable price. The page's own code is 36 kB
 * minified (14 kB gzipped). Observable Plot 0.6.17 draws SVG for both and adds 265 kB (90 kB) and, for
 * the report, a DOM; uPlot 1.6.32 adds 52 kB (23 kB) and draws on a canvas alone, so the report would
 * still need a drawing of its own. Knows no host: the page takes this file as it is.
 *
 * @module
 */
import { type AxisOptions, makeScale, type Scale } from "./scale.ts";
import {
  type Attributes,
  FAINT,
  GRID,
  INK,
  px,
  type Shape,
  shape,
  textShape,
  textWidth,
} from "./shapes.ts";

/** Values by step, as two lists of one length: short as JSON. */
export interface Points {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** A line of a chart. */
export interface Line {
  readonly id: string;
  readonly label: string;
  /** Which of a page's colours, or a colour; null for the colour of text. */
  readonly colour: number | string | null;
  readonly points: Points;
  /** What it is smoothed from, drawn faintly. */
  readonly raw?: Points;
  /** The range around each point; NaN where there is none. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
  /** As of SVG's stroke-dasharray; whole unless given. */
  readonly dash?: string | undefined;
  /** Whether points are marked: for few of them. "alone": marks with their ranges, and no line. */
  readonly marks?: boolean | "alone";
}

/** The inside of the axes, in pixels. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What is drawn, and where. */
export interface PlotOptions {
  readonly frame: Frame;
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  readonly lines: readonly Line[];
  /** Bounds of x instead of the lines' own; y then spans what is inside. */
  readonly range?: readonly [number, number] | null;
  /** Values of y with a line across, which are to be visible. */
  readonly rules?: readonly number[];
  /** Whether lines have their names at their ends, where colours are told apart by nothing else. */
  readonly named?: boolean;
  /** Columns a pixel that can be told apart: more in print. */
  readonly detail?: number;
}

/** Lines over axes, and where their values are. */
export interface Plot {
  readonly shapes: readonly Shape[];
  /** Pixels from the left and from the top. */
  left(x: number): number;
  top(y: number): number;
  /** Whether x is between the ends of its axis. */
  contains(x: number): boolean;
}

/** Pixels between two names. */
const NAME_HEIGHT = 13;
/** Points that are marked, in lines that have marks. */
const MOST_MARKS = 40;
/** Pixels beside the frame that lines and marks may use. */
const BLEED = 4;

/** Draws lines over axes. */
export function makePlot(options: PlotOptions): Plot {
  const { frame, lines, range, rules = [], detail = 1 } = options;
  const x = makeScale(range ?? endsOf(lines, options.x.log), options.x, range ? 0 : 0.02);
  const include = [...options.y.include ?? [], ...rules];
  const y = makeScale(valuesIn(lines, x), { ...options.y, include });
  const place: Place = {
    x,
    left: (value) => frame.left + x.place(value) * frame.width,
    top: (value) => frame.top + (1 - y.place(value)) * frame.height,
    columns: Math.max(1, frame.width * detail),
    bottom: frame.top + frame.height,
  };
  // An inner picture cuts off what a chosen range leaves out.
  const box = {
    x: frame.left - BLEED,
    y: frame.top - BLEED,
    width: Math.max(1, frame.width + 2 * BLEED),
    height: Math.max(1, frame.height + 2 * BLEED),
  };
  const viewBox = [box.x, box.y, box.width, box.height].map(px).join(" ");
  const inside = [
    ...lines.flatMap((line) => areaShapes(line, place)),
    ...lines.flatMap((line) => lineShapes(line, place)),
  ];
  return {
    shapes: [
      ...axisShapes(frame, x, y, place),
      ...rules.map((value) => ruleShape(frame, place.top(value))),
      shape("svg", { ...box, viewBox }, ...inside),
      ...(options.named ? nameShapes(lines, frame, place) : []),
    ],
    left: place.left,
    top: place.top,
    contains: (value) => isInside(x.place(value)),
  };
}

interface Place {
  readonly x: Scale;
  readonly left: (x: number) => number;
  readonly top: (y: number) => number;
  readonly columns: number;
  readonly bottom: number;
}

function isInside(place: number): boolean {
  return place >= -1e-9 && place <= 1 + 1e-9;
}

/** First and last x of lines; on a logarithmic axis the first that has a place there. */
function endsOf(lines: readonly Line[], log = false): number[] {
  return lines.flatMap(({ points: { steps } }) => [
    ...(log ? [steps.find((step) => step > 0) ?? NaN] : steps.slice(0, 1)),
    ...steps.slice(-1),
  ]);
}

function* valuesIn(lines: readonly Line[], x: Scale): Generator<number> {
  for (const { points: { steps, values }, low, high } of lines) {
    for (let i = 0; i < steps.length; i++) {
      if (!isInside(x.place(steps[i]!))) continue;
      yield values[i]!;
      if (low) yield low[i]!;
      if (high) yield high[i]!;
    }
  }
}

function axisShapes({ left, top, width }: Frame, x: Scale, y: Scale, place: Place): Shape[] {
  const { bottom } = place;
  const shapes: Shape[] = [];
  for (const { value, label } of y.ticks) {
    if (label === "") continue;
    const at = Math.floor(place.top(value)) + 0.5;
    shapes.push(
      shape("line", { class: "grid", x1: left, x2: left + width, y1: at, y2: at, stroke: GRID }),
      textShape(left - 7, at + 3.5, label, { size: 11, anchor: "end", fill: FAINT }),
    );
  }
  let free = -Infinity;
  for (const { value, label } of x.ticks) {
    const at = place.left(value), end = bottom + (label === "" ? 3 : 5);
    shapes.push(shape("line", { class: "axis", x1: at, x2: at, y1: bottom, y2: end, stroke: INK }));
    const reach = textWidth(label, 11) / 2;
    if (label === "" || at - reach < free) continue;
    // The last label must end inside the chart.
    const middle = Math.min(at, left + width + 10 - reach);
    shapes.push(textShape(middle, bottom + 18, label, { size: 11, anchor: "middle", fill: FAINT }));
    free = at + reach + 8;
  }
  const d = `M${px(left)} ${px(top)}V${px(bottom)}H${px(left + width)}`;
  return [...shapes, shape("path", { class: "axis", d, fill: "none", stroke: INK })];
}

function ruleShape({ left, width }: Frame, at: number): Shape {
  return shape("line", {
    ...{ class: "rule", x1: left, x2: left + width, y1: at, y2: at },
    ...{ stroke: INK, "stroke-width": 1.2, "stroke-dasharray": "2 3" },
  });
}

/** The class that gives an element the `i`-th colour of runs. */
export function colourClass(i: number): string {
  return `colour-${i % 8}`;
}

/** What gives a shape a line's colour in a page: a class, or a property of its style. */
export function paint(name: string, { colour }: Pick<Line, "colour">): Attributes {
  const own = typeof colour === "number" ? colourClass(colour) : "colour-ink";
  return typeof colour === "string"
    ? { class: name, "--colour": colour }
    : { class: `${name} ${own}`.trim() };
}

/** Dashes of data and of theory. */
export const DASHED = "5 3";

/** The colour where there is no style sheet. */
function plainColour({ colour }: Pick<Line, "colour">): string {
  return typeof colour === "string" ? colour : "currentColor";
}

/** How a line is drawn, in a chart and in its legend. */
export function strokeOf(line: Pick<Line, "colour" | "dash">, raw = false): Attributes {
  return {
    ...paint(raw ? "line raw" : "line", line),
    ...{ fill: "none", stroke: plainColour(line), "stroke-width": raw ? 1 : 1.8 },
    "stroke-dasharray": raw ? undefined : line.dash,
    "stroke-opacity": raw ? 0.28 : undefined,
    "stroke-linejoin": "round",
  };
}

function lineShapes(line: Line, place: Place): Shape[] {
  const { points: { steps, values }, raw, marks } = line;
  if (marks === "alone") return cloudShapes(line, place);
  const shapes = raw ? [shape("path", { d: pathOf(raw, place), ...strokeOf(line, true) })] : [];
  shapes.push(shape("path", { d: pathOf(line.points, place), ...strokeOf(line) }));
  if (steps.length > 1 && !(marks && steps.length <= MOST_MARKS)) return shapes;
  steps.forEach((step, i) => {
    const at = { cx: place.left(step), cy: place.top(values[i]!) };
    if (!isInside(place.x.place(step)) || !Number.isFinite(at.cy)) return;
    shapes.push(
      shape("circle", { ...paint("", line), ...at, r: 2.6, fill: plainColour(line) }),
    );
  });
  return shapes;
}

/** Points that no line joins: each with a bar over its range. */
function cloudShapes(line: Line, place: Place): Shape[] {
  const { points: { steps, values }, low, high } = line;
  return steps.flatMap((step, i) => {
    const cx = place.left(step), cy = place.top(values[i]!);
    if (!isInside(place.x.place(step)) || !Number.isFinite(cy)) return [];
    const ends = [low?.[i] ?? NaN, high?.[i] ?? NaN].map((end) => place.top(end));
    const bar = {
      d: `M${px(cx)} ${px(ends[0]!)}L${px(cx)} ${px(ends[1]!)}`,
      ...strokeOf(line, true),
    };
    return [
      ...ends.every(Number.isFinite) ? [shape("path", bar)] : [],
      shape("circle", { ...paint("", line), cx, cy, r: 2.2, fill: plainColour(line) }),
    ];
  });
}

/** A path through points; what has no place on an axis is a gap. */
function pathOf(points: Points, place: Place): string {
  let path = "", drawing = false;
  for (const i of visible(points, place.columns, (step) => place.x.place(step))) {
    const x = place.left(points.steps[i]!), y = place.top(points.values[i]!);
    const there = Number.isFinite(x) && Number.isFinite(y);
    if (there) path += `${drawing ? "L" : "M"}${px(x)} ${px(y)}`;
    drawing = there;
  }
  return path;
}

/** The range of a line; an end that a log scale cannot show is at its edge. */
function areaShapes(line: Line, place: Place): Shape[] {
  const { points: { steps }, low, high } = line;
  if (!low || !high || line.marks === "alone") return [];
  const there = steps.map((_, i) => i).filter((i) =>
    Number.isFinite(place.left(steps[i]!)) && !Number.isNaN(low[i]! + high[i]!)
  );
  if (there.length < 2) return [];
  const corner = (i: number, value: number) => {
    const y = place.top(value);
    return `${px(place.left(steps[i]!))} ${px(Number.isFinite(y) ? y : place.bottom)}`;
  };
  const above = there.map((i) => corner(i, high[i]!));
  const below = there.toReversed().map((i) => corner(i, low[i]!));
  const d = `M${[...above, ...below].join("L")}Z`;
  return [
    shape("path", { ...paint("area", line), d, fill: plainColour(line), "fill-opacity": 0.18 }),
  ];
}

/** Names at the lines' ends, moved apart. */
function nameShapes(lines: readonly Line[], { left, width }: Frame, place: Place): Shape[] {
  const ends = lines.map((line) => ({ line, y: place.top(line.points.values.at(-1)!) }))
    .filter(({ y }) => Number.isFinite(y)).sort((a, b) => a.y - b.y);
  let lowest = -Infinity;
  return ends.map(({ line, y }) => {
    lowest = Math.max(y, lowest + NAME_HEIGHT);
    const style = { size: 11, fill: plainColour(line), more: paint("name", line) };
    return textShape(left + width + 7, lowest + 4, line.label, style);
  });
}

/**
 * Indices of the points that a chart of so many columns needs: the lowest and the highest of each
 * column, and the ends. Of what is outside only the neighbour on each side is kept.
 *
 * @param place Where a step is, 0 to 1 inside; not finite where it has no place.
 */
export function visible(
  { steps, values }: Points,
  columns: number,
  place: (step: number) => number,
): number[] {
  const places = steps.map(place);
  const begin = Math.max(places.findLastIndex((at) => at < 0 && Number.isFinite(at)), 0);
  const after = places.findIndex((at) => at > 1);
  const end = after < 0 ? steps.length - 1 : after;
  const kept = new Set<number>();
  let column = NaN, low = begin, high = begin;
  for (let i = begin; i <= end; i++) {
    if (!Number.isFinite(places[i])) continue;
    if (kept.size === 0 || i === end) kept.add(i);
    const own = Math.floor(places[i]! * columns);
    if (own !== column) [column, low, high] = [own, i, i];
    if (values[i]! < values[low]!) low = i;
    if (values[i]! > values[high]!) high = i;
    // The last of a column knows its extremes.
    if (i === end || Math.floor(places[i + 1]! * columns) !== own) kept.add(low).add(high);
  }
  return [...kept].sort((a, b) => a - b);
}
