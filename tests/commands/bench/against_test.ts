import {
  type CaseValues,
  measureAgainst,
  pairingTable,
  parseLines,
} from "../../../commands/bench/against.ts";
import { UsageError } from "../../../support/errors.ts";
import {
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../support/assert.ts";

/** A rate and a time, on a machine that gets slower by `drift`. */
function values(speed: number, drift: number): CaseValues {
  return new Map([
    ["product", { value: 10 * speed / drift, unit: "GFLOP/s" }],
    ["step", { value: drift / speed, unit: "s/step" }],
  ]);
}

Deno.test("measureAgainst() takes turns, so that a machine that slows down changes no ratio much", async () => {
  const order: string[] = [];
  let drift = 1;
  const pairings = await measureAgainst(
    "/other",
    ["--filter", "x"],
    4,
    () => {},
    (folder, args) => {
      assertEquals(args, ["--filter", "x"]);
      const other = folder === "/other";
      order.push(other ? "other" : "own");
      drift *= 1.05;
      return Promise.resolve(values(other ? 1 : 2, drift));
    },
  );
  assertEquals(order, ["other", "own", "own", "other", "other", "own", "own", "other"]);
  assertEquals(pairings.map((p) => p.case), ["product", "step"]);
  for (const { faster, least, most } of pairings) {
    assertAlmostEquals(faster, 2, 0.01);
    assertAlmostEquals(least, 2 / 1.05, 1e-9);
    assertAlmostEquals(most, 2 * 1.05, 1e-9);
  }
  assertStringIncludes(pairingTable(pairings), "1.90 to 2.10");
});

Deno.test("measureAgainst() leaves out cases that only one checkout has", async () => {
  const both = values(1, 1), one = new Map([...both, ["new", { value: 1, unit: "GB/s" }]]);
  const pairings = await measureAgainst(
    "/other",
    [],
    1,
    () => {},
    (folder) => Promise.resolve(folder === "/other" ? both : one),
  );
  assertEquals(pairings.map((p) => p.case), ["product", "step"]);
});

Deno.test("measureAgainst() refuses a folder that is no checkout", async () => {
  const folder = await Deno.makeTempDir();
  await assertRejects(
    () => measureAgainst(folder, [], 1, () => {}),
    UsageError,
    "must be a checkout that has commands/bench/main.ts",
  );
  await Deno.remove(folder);
});

Deno.test("parseLines() reads measurements and passes over failures and chatter", () => {
  const text = 'Adapter: x\n{"case":"a","value":2,"unit":"GB/s"}\n{"case":"b","error":"wrong"}\n';
  assertEquals([...parseLines(text)], [["a", { value: 2, unit: "GB/s" }]]);
});
