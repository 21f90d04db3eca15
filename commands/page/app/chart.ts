/// <reference lib="dom" />
/**
 * Lines over axes that fill an element, drawn again as its size changes.
 *
 * @module
 */
import { type Line, makePlot, paint } from "../../../run_log/charts/plot.ts";
import type { AxisOptions } from "../../../run_log/charts/scale.ts";
import { drawn, html, setPaint, svg } from "../../shared/dom.ts";

/** What a chart shows. */
export interface ChartContent {
  readonly lines: readonly Line[];
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  /** Values of y with a line across. */
  readonly rules?: readonly number[];
}

/** Space around the plot, in pixels. */
const LEFT = 46, RIGHT = 14, TOP = 10, BOTTOM = 26;

/** A chart with a title and a legend. */
export class Chart {
  readonly element: HTMLElement;
  readonly #svg = svg("svg", { role: "img" });
  readonly #plot = html("div", { class: "plot" }, this.#svg);
  readonly #legend = html("ul", { class: "legend" });
  #content: ChartContent | null = null;

  constructor(title: string, about: string) {
    this.#svg.setAttribute("aria-label", title);
    this.element = html(
      "figure",
      { class: "card chart" },
      html("figcaption", {}, html("h3", {}, title), html("p", {}, about)),
      this.#plot,
      this.#legend,
    );
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
  }

  /** Shows something else. */
  show(content: ChartContent): void {
    this.#content = content;
    this.#draw();
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#plot;
    if (!this.#content || width < LEFT + RIGHT + 20) return;
    const { lines, x, y, rules } = this.#content;
    const frame = {
      left: LEFT,
      top: TOP,
      width: width - LEFT - RIGHT,
      height: height - TOP - BOTTOM,
    };
    const { shapes } = makePlot({ frame, x, y, lines, ...rules ? { rules } : {} });
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.replaceChildren(...shapes.map(drawn));
    this.#legend.replaceChildren(...lines.map((line) => {
      const entry = html("li", {}, line.label);
      setPaint(entry, paint("", line));
      return entry;
    }));
  }
}
