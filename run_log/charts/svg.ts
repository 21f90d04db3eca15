/**
 * SVG as text: elements, lettering with raised and lowered parts, and drawings laid side by side.
 *
 * @module
 */
import { SVG_FONT } from "../../formats/svg_raster.ts";

/** A drawing with its size, to be placed in another. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** Elements in a system of their own, from (0, 0). */
  readonly content: string;
}

/** Values of attributes; undefined ones are left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Colours of text and lines. */
export const INK = "#222222", FAINT = "#5f6368", GRID = "#e3e5e8";

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

/** A number of a drawing: to a hundredth of a pixel. */
export function px(value: number): string {
  return `${Math.round(value * 100) / 100}`;
}

/** An element. */
export function element(name: string, attributes: Attributes, content = ""): string {
  const list = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined
      ? []
      : ` ${key}="${typeof value === "number" ? px(value) : escapeText(value)}"`
  );
  return content === ""
    ? `<${name}${list.join("")}/>`
    : `<${name}${list.join("")}>${content}</${name}>`;
}

/** How a line of text is set. */
export interface TextStyle {
  /** Default 12. */
  readonly size?: number;
  readonly anchor?: "start" | "middle" | "end";
  readonly bold?: boolean;
  readonly fill?: string;
  /** Degrees around the text's own place. */
  readonly rotate?: number;
}

/** A line of text; `^{...}` is raised and `_{...}` lowered. */
export function text(x: number, y: number, line: string, style: TextStyle = {}): string {
  const { size = 12, anchor = "start", bold = false, fill = INK, rotate } = style;
  return element("text", {
    x,
    y,
    "font-size": size,
    "text-anchor": anchor === "start" ? undefined : anchor,
    "font-weight": bold ? "600" : undefined,
    fill,
    transform: rotate === undefined ? undefined : `rotate(${rotate} ${px(x)} ${px(y)})`,
  }, lettering(line, size));
}

function lettering(line: string, size: number): string {
  let back = 0, result = "";
  const place = (part: string, shift: number, small: boolean) => {
    if (part === "") return;
    const dy = shift - back;
    back = shift;
    const attributes = {
      dy: dy === 0 ? undefined : dy,
      "font-size": small ? size * 0.75 : undefined,
    };
    result += element("tspan", attributes, escapeText(part));
  };
  for (
    const [, plain = "", sign, part = ""] of line.matchAll(
      /([^^_]+|[\^_](?!\{))|([\^_])\{([^}]*)\}/g,
    )
  ) {
    if (sign === undefined) place(plain, 0, false);
    else place(part, (sign === "^" ? -0.4 : 0.25) * size, true);
  }
  return result;
}

/** About how wide a line of text is: a mean width a character. */
export function textWidth(line: string, size = 12): number {
  return line.replaceAll(/[\^_]\{([^}]*)\}/g, "$1").length * size * 0.53;
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
