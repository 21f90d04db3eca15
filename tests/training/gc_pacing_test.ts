import { Collector } from "../../training/gc_pacing.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Steps after which garbage is collected, where a step and a collection take so many milliseconds. */
function collections(steps: number, stepMs: number, collectionMs: number): number[] {
  let time = 0, step = 0;
  const places: number[] = [];
  const collector = new Collector(() => {
    places.push(step);
    time += collectionMs;
  }, () => time);
  while (step < steps) {
    time += stepMs;
    step++;
    collector.afterStep();
  }
  return places;
}

Deno.test("Collector leaves the first stretch the longest by far, so that memory peaks in it", () => {
  const places = collections(1000, 100, 10);
  assertEquals(places[0], 200);
  assertEquals(places.slice(1), Array.from({ length: 32 }, (_, i) => 225 + 25 * i));
});

Deno.test("Collector takes a fiftieth of the time at most where steps are quick", () => {
  const places = collections(2000, 5, 11);
  const stretches = places.slice(1).map((at, i) => at - places[i]!);
  // The second stretch is as long as the last collection's cost lets it, and so are all later ones.
  assert(stretches.length > 10 && stretches.every((steps) => 5 * steps >= 50 * 11), `${stretches}`);
  assert(stretches.every((steps) => steps <= 120), `${stretches}`);
});

Deno.test("Collector collects after 200 steps whatever it costs", () => {
  assertEquals(collections(1000, 1, 1000), [200, 400, 600, 800, 1000]);
});
