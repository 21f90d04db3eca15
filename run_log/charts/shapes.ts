/**
 * Shapes of SVG as plain data. The report writes them as text (svg.ts), the dashboard's page makes
 * elements of them (dom.ts); this file knows no host.
 *
 * @module
 */

/** Values of attributes; undefined ones are left out. One whose name begins with "--" is a page's alone. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element with what is in it. */
export interface Shape {
  readonly name: string;
  readonly attributes: Attributes;
  readonly children: readonly (Shape | string)[];
}

/** Colours of text and lines; a page's style sheet has its own, light and dark. */
export const INK = "#222222", FAINT = "#5f6368", GRID = "#e3e5e8";

/** A shape. */
export function shape(
  name: string,
  attributes: Attributes,
  ...children: readonly (Shape | string)[]
): Shape {
  return { name, attributes, children };
}

/** A number of a drawing: to a hundredth of a pixel. */
export function px(value: number): string {
  return `${Math.round(value * 100) / 100}`;
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
  /** Attributes besides. */
  readonly more?: Attributes;
}

/** A line of text; `^{...}` is raised and `_{...}` lowered. */
export function textShape(x: number, y: number, line: string, style: TextStyle = {}): Shape {
  const { size = 12, anchor = "start", bold = false, fill = INK, rotate, more } = style;
  return shape("text", {
    x,
    y,
    "font-size": size,
    "text-anchor": anchor === "start" ? undefined : anchor,
    "font-weight": bold ? "600" : undefined,
    fill,
    transform: rotate === undefined ? undefined : `rotate(${rotate} ${px(x)} ${px(y)})`,
    ...more,
  }, ...lettering(line, size));
}

function lettering(line: string, size: number): Shape[] {
  let back = 0;
  const result: Shape[] = [];
  const place = (part: string, shift: number, small: boolean) => {
    if (part === "") return;
    const dy = shift - back;
    back = shift;
    const attributes = {
      dy: dy === 0 ? undefined : dy,
      "font-size": small ? size * 0.75 : undefined,
    };
    result.push(shape("tspan", attributes, part));
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

/** About how wide a line of text is: a mean width of narrow, wide and other characters. */
export function textWidth(line: string, size = 12): number {
  let ems = 0;
  for (const letter of line.replaceAll(/[\^_]\{([^}]*)\}/g, "$1")) {
    ems += /[mwMW]/.test(letter) ? 0.87 : /[ijlft.,:;|'!]/.test(letter) ? 0.3 : 0.58;
  }
  return ems * size;
}
