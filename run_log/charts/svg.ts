/**
 * SVG as text: elements and shapes, and drawings laid side by side.
 *
 * @module
 */
import { SVG_FONT } from "../../formats/svg_raster.ts";
import { type Attributes, px, type Shape, textShape, type TextStyle } from "./shapes.ts";

/** A drawing with its size, to be placed in another. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** Elements in a system of their own, from (0, 0). */
  readonly content: string;
}

/** Colours of series, told apart by most colour-blind eyes too (Okabe and Ito 2008). */
export const PALETTE = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#8b6f47",
];

/** The colour of the `i`-th series. */
export function paletteColour(i: number): string {
  return PALETTE[i % PALETTE.length]!;
}

/** The dashes of the `i`-th series: once all colours are taken they come again in other strokes. */
export function paletteDash(i: number): string | undefined {
  return [undefined, "9 3", "2 2", "9 3 2 3"][Math.floor(i / PALETTE.length) % 4];
}

/** Text that stands for itself in SVG and HTML. */
export function escapeText(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replaceAll(/[&<>"]/g, (character) => names[character]!);
}

/** An element. */
export function element(name: string, attributes: Attributes, content = ""): string {
  const list = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined || key.startsWith("--")
      ? []
      : ` ${key}="${typeof value === "number" ? px(value) : escapeText(value)}"`
  );
  return content === ""
    ? `<${name}${list.join("")}/>`
    : `<${name}${list.join("")}>${content}</${name}>`;
}

/** A shape as text. */
export function markup({ name, attributes, children }: Shape): string {
  const content = children.map((child) =>
    typeof child === "string" ? escapeText(child) : markup(child)
  );
  return element(name, attributes, content.join(""));
}

/** A line of text; `^{...}` is raised and `_{...}` lowered. */
export function text(x: number, y: number, line: string, style: TextStyle = {}): string {
  return markup(textShape(x, y, line, style));
}

/** A drawing moved by (x, y). */
export function placed({ content }: Drawing, x: number, y: number): string {
  return element("g", { transform: `translate(${px(x)} ${px(y)})` }, content);
}

/** Drawings in rows of `columns`, from the left. */
export function grid(drawings: readonly Drawing[], columns: number, gap = 18): Drawing {
  let y = 0, width = 0, content = "";
  for (let first = 0; first < drawings.length; first += columns) {
    const row = drawings.slice(first, first + columns);
    let x = 0;
    for (const drawing of row) {
      content += placed(drawing, x, y);
      x += drawing.width + gap;
    }
    width = Math.max(width, x - gap);
    y += Math.max(...row.map(({ height }) => height)) + gap;
  }
  return { width, height: Math.max(0, y - gap), content };
}

/** A drawing as a document on white. */
export function svgDocument({ width, height, content }: Drawing, margin = 8): string {
  const size = { width: width + 2 * margin, height: height + 2 * margin };
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      ...size,
      viewBox: `0 0 ${px(size.width)} ${px(size.height)}`,
      "font-family": `${SVG_FONT}, Helvetica, Arial, sans-serif`,
    },
    element("rect", { ...size, fill: "#ffffff" }) +
      placed({ width, height, content }, margin, margin),
  );
}
