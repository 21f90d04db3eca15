/**
 * How fast a page is beside Deno.
 *
 * @module
 */
import type { SamplerOptions } from "../../diffusion/options.ts";
import { median } from "./compare.ts";
import { markdownTable } from "./markdown.ts";
import type { Side } from "./sides.ts";

/** Steps of a turn. */
const TURN_STEPS = 20;

/** How sides are timed. */
export interface SpeedCheck {
  readonly turns: number;
  /** Images that are drawn. */
  readonly count: number;
  readonly sampler: SamplerOptions;
}

/** Times of a training step and of images by turns, the first of which warms up; as a table. */
export async function compareSpeed(
  sides: readonly [Side, ...Side[]],
  { turns, count, sampler }: SpeedCheck,
): Promise<string> {
  const step = async (side: Side) =>
    median((await side.train({ steps: TURN_STEPS })).map(({ milliseconds }) => milliseconds));
  const images = async (side: Side) => (await side.draw(0, count)).milliseconds;
  const rows: string[][] = [];
  for (
    const [what, time] of [
      ["a training step", step],
      [`${count} images by ${sampler.name}`, images],
    ] as const
  ) {
    const times: number[][] = [];
    for (let turn = 0; turn <= turns; turn++) {
      const row: number[] = [];
      for (const side of sides) row.push(await time(side));
      if (turn > 0) times.push(row);
    }
    rows.push([what, ...sides.map((_, i) => cell(times, i))]);
  }
  return markdownTable(["milliseconds", ...sides.map(({ name }) => name)], rows);
}

/** A side's median time; of those after the first also the speed of the first in theirs. */
function cell(times: readonly (readonly number[])[], side: number): string {
  const own = median(times.map((row) => row[side]!)).toFixed(1);
  if (side === 0) return own;
  const shares = times.map((row) => row[side]! / row[0]!);
  const range = [Math.min(...shares), Math.max(...shares)].map((share) => share.toFixed(2));
  return `${own}; the page is ${median(shares).toFixed(2)} as fast (${range.join(" to ")})`;
}
