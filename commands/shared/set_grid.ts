/**
 * A grid of the images of a data set.
 *
 * @module
 */
import type { ImageSet } from "../../data/dataset.ts";
import { imageGrid, type Picture } from "../../formats/png.ts";

/** Classes up to this have a row of the grid each. */
const MOST_ROWS = 16;
const COLUMNS = 10;
/** Images are enlarged to about this side, in screen pixels. */
const SHOWN_SIDE = 64;

/**
 * A grid of a set's images: a row a class where there are few classes, else images spread over the
 * set, `count` at most.
 */
export function setGrid(set: ImageSet, count: number): Picture {
  const { height, width, channels } = set;
  const size = height * width * channels;
  const scale = Math.max(1, Math.round(SHOWN_SIDE / Math.max(height, width)));
  const classes = set.labels ? set.classNames?.length ?? 0 : 0;
  const byClass = classes > 1 && classes <= MOST_ROWS;
  const columns = byClass
    ? Math.max(1, Math.min(COLUMNS, Math.floor(count / classes)))
    : Math.ceil(Math.sqrt(Math.min(count, set.count)));
  const places = byClass ? placesByClass(set, classes, columns) : spread(set.count, count);
  const images = new Uint8Array(places.length * size);
  for (const [i, place] of places.entries()) {
    if (place !== null) images.set(set.images.subarray(place * size, (place + 1) * size), i * size);
  }
  return imageGrid(images, { count: places.length, height, width, channels, columns, scale });
}

/** The first images of each class; null where a class has fewer. */
function placesByClass(
  { labels }: ImageSet,
  classes: number,
  columns: number,
): (number | null)[] {
  const places = new Array<number | null>(classes * columns).fill(null);
  const found = new Array<number>(classes).fill(0);
  for (const [place, label] of (labels ?? []).entries()) {
    if (found[label]! < columns) places[label * columns + found[label]!++] = place;
  }
  return places;
}

function spread(images: number, count: number): number[] {
  const shown = Math.min(images, count);
  return Array.from({ length: shown }, (_, i) => Math.floor(i * images / shown));
}
