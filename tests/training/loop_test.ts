import { collectsAfter } from "../../training/loop.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("collectsAfter() leaves the first stretch the longest by far, so that memory peaks in it", () => {
  const places = Array.from({ length: 1001 }, (_, steps) => steps).filter(collectsAfter);
  const stretches = places.map((at, i) => at - (places[i - 1] ?? 0));
  const [first, ...later] = stretches;
  assertEquals(first, 200);
  assert(later.length > 0 && later.every((stretch) => stretch <= first! / 4), `${later}`);
});
