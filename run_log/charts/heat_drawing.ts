/**
 * Draws heat maps.
 *
 * @module
 */
import { type CellLook, cellLook, type HeatMap } from "./heat_map.ts";
import { FAINT } from "./shapes.ts";
import { type Drawing, element, text } from "./svg.ts";

const CELL = { width: 50, height: 21 };

/** Draws a map. */
export function heatMap(map: HeatMap): Drawing {
  const { rows, columns } = map;
  const left = 74, top = 26;
  const width = left + columns.length * CELL.width + 8;
  const bottom = top + rows.length * CELL.height;
  const parts = [text(left, 14, map.title, { size: 13, bold: true })];
  rows.forEach((label, row) => {
    const y = bottom - (row + 1) * CELL.height;
    parts.push(text(left - 6, y + 15, label, { size: 10.5, anchor: "end", fill: FAINT }));
    columns.forEach((_, column) => {
      parts.push(cell(cellLook(map, row, column), left + column * CELL.width, y));
    });
  });
  columns.forEach((label, column) => {
    const x = left + (column + 0.5) * CELL.width;
    parts.push(text(x, bottom + 15, label, { size: 10.5, anchor: "middle", fill: FAINT }));
  });
  const middle = left + columns.length * CELL.width / 2;
  parts.push(text(middle, bottom + 33, map.columnLabel, { anchor: "middle" }));
  parts.push(text(12, (top + bottom) / 2, map.rowLabel, { anchor: "middle", rotate: -90 }));
  return { width, height: bottom + 40, content: parts.join("") };
}

function cell({ text: label, fill, ink }: CellLook, x: number, y: number): string {
  const box = element("rect", {
    ...{ x, y, fill, stroke: "#ffffff" },
    ...{ width: CELL.width, height: CELL.height },
  });
  if (label === "") return box;
  return box + text(x + CELL.width / 2, y + 14.5, label, { size: 10, anchor: "middle", fill: ink });
}
