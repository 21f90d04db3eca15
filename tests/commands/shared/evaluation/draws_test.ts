import {
  type Judged,
  judgedTable,
  overDraws,
  overSeeds,
} from "../../../../commands/shared/evaluation/draws.ts";
import type { Metric } from "../../../../metrics/judges/metric.ts";
import { assertAllClose, assertEquals, assertMatch } from "../../../support/assert.ts";

const metric = (key: string, value: number, better: Metric["better"] = "lower"): Metric => ({
  ...{ key, label: key, value, features: "f", better, spread: 9, note: "n" },
});

Deno.test("overDraws() has mean, deviation and best of each metric, and leaves a single draw alone", () => {
  const draws = [5, 8, 2].map((value) => [metric("fid", value), metric("is", value, "higher")]);
  assertEquals(overDraws(draws.slice(0, 1)), draws[0]);
  const [fid, is] = overDraws(draws);
  assertEquals(fid, {
    ...{ key: "fid", label: "fid", value: 5, features: "f", better: "lower" },
    ...{ spread: 3, draws: [5, 8, 2], best: 2, note: "mean of 3 draws; n" },
  });
  assertEquals(is!.best, 8);
});

Deno.test("overSeeds() takes runs that differ by their seed alone, and keeps draws and seeds apart", () => {
  const judged = (
    checkpoint: string,
    seed: number,
    alike: string,
    ...values: number[]
  ): Judged => ({
    ...{ checkpoint, seed, alike },
    metrics: overDraws(values.map((value) => [metric("fid", value)])),
  });
  const runs = [
    judged("a/0", 0, "a", 1, 3),
    judged("b/0", 0, "b", 7, 7),
    judged("a/1", 1, "a", 5, 9),
    // The same run twice is no second seed.
    judged("c/0", 3, "c", 1, 2),
    judged("c/copy", 3, "c", 1, 2),
  ];
  const [group, ...others] = overSeeds(runs);
  assertEquals([others, group!.checkpoints], [[], ["a/0", "a/1"]]);
  const { key, value, overSeeds: seeds, overDraws: draws } = group!.metrics[0]!;
  assertEquals([key, value], ["fid", 4.5]);
  // Means 2 and 7; variances 2 and 8 within.
  assertAllClose([seeds, draws ?? NaN], [Math.sqrt(12.5), Math.sqrt(5)]);
  assertEquals(
    overSeeds([judged("a/0", 0, "a", 1), judged("a/1", 1, "a", 5)])[0]!.metrics[0]!.overDraws,
    null,
  );
  const table = judgedTable(runs, [group!], true);
  assertMatch(table, /a\/0 +│ 2\.0000 \+- 1\.4 +│ +1\.0000/);
  assertMatch(table, /2 training seeds +│ 4\.5000 \+- 3\.5/);
});
