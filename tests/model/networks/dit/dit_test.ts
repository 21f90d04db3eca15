import { DiT } from "../../../../model/networks/dit/dit.ts";
import { positionTable } from "../../../../model/networks/dit/positions.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../../support/assert.ts";
import { checkResumed, smallRun } from "../../../support/network_runs.ts";

const SMALL = { name: "dit", patchSize: 2, channels: 8, depth: 2, heads: 2 };

Deno.test("DIT trains on images that are no square, with their classes, and goes on to the same bytes", async () => {
  const model = { ...SMALL, classes: 6, labelDropout: 0.2, learnSigma: true };
  const { said } = await checkResumed(smallRun(model, { size: [8, 4] }));
  assert(/network +dit, /.test(said), said);
});

Deno.test("DIT trains its variance, samples with it, and goes on to the same bytes", async () => {
  const config = smallRun({ ...SMALL, classes: 6, labelDropout: 0.2, learnSigma: true });
  const { tensors } = await checkResumed({
    ...config,
    diffusion: {
      ...config.diffusion,
      variance: "learned-range",
      sampler: { ...config.diffusion.sampler, name: "ancestral", steps: 3 },
    },
  });
  const { tensors: fixed } = await checkResumed(config);
  const unmoved = (values: typeof tensors) =>
    Array.from(values.get("model/final.linear.bias") ?? []).filter((value) => Number(value) === 0);
  // Of 2 by 2 pixels; what nothing trains stays where it starts.
  assertEquals([unmoved(tensors).length, unmoved(fixed).length], [0, 4]);
});

Deno.test("DIT recomputes its blocks to the same bytes", async () => {
  const config = smallRun(SMALL);
  const values = async (recompute: false | "blocks") => {
    const { tensors } = await checkResumed({ ...config, train: { ...config.train, recompute } });
    // The config is part of the checksum.
    return [...tensors].filter(([name]) => name.includes("/"));
  };
  const kept = await values(false);
  assert(kept.length > 40);
  assertEquals(await values("blocks"), kept);
});

Deno.test("DIT refuses sides that patches do not divide, heads and widths that do not fit", () => {
  for (
    const [model, message] of [
      [{ patchSize: 3 }, "data.size must be a multiple of 3"],
      [{ heads: 3 }, "model.heads must divide model.channels, 8"],
      [{ channels: 6, heads: 1 }, "model.channels must be a multiple of 4"],
      [{ mlpRatio: 0.1 }, "model.mlpRatio must give at least one hidden unit"],
      [{ labelDropout: 0.1 }, "model.labelDropout must be 0 where model.classes is 0"],
    ] as const
  ) {
    assertThrows(() => smallRun({ ...SMALL, ...model }), UsageError, message);
  }
});

Deno.test("positionTable() has sines and cosines of the column, then of the row", () => {
  const table = positionTable(2, 3, 8);
  // The token in row 1 and column 2.
  const row = table.subarray(5 * 8, 6 * 8);
  const [fast, slow] = [1, 10000 ** -0.5];
  const expected = [2, 1].flatMap((place) => [
    ...[Math.sin(place * fast), Math.sin(place * slow)],
    ...[Math.cos(place * fast), Math.cos(place * slow)],
  ]);
  assertAllClose(row, expected);
});

Deno.test("DiT.forward() gives the prediction alone where it learns a variance as well", () => {
  const options = smallRun({ ...SMALL, learnSigma: true }).model;
  const network = new DiT(options as never, {
    ...{ height: 8, width: 8, channels: 1, timesteps: 10 },
  });
  assert(network.final.linear.outputs === 8);
});
