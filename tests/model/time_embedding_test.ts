import { sinusoidTable } from "../../model/time_embedding.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";

Deno.test("sinusoidTable() interleaves sine and cosine of falling frequencies", () => {
  const table = sinusoidTable(1000, 32);
  assertEquals(table.length, 32000);
  assertEquals([...table.slice(0, 4)], [0, 1, 0, 1]);
  for (const t of [1, 7, 613, 999]) {
    const row = [];
    for (let i = 0; i < 16; i++) {
      const angle = t / 10000 ** (i / 16);
      row.push(Math.sin(angle), Math.cos(angle));
    }
    assertAllClose(table.slice(32 * t, 32 * (t + 1)), row, { rtol: 0, atol: 6e-8 });
  }
});
