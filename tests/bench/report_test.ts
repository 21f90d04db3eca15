import type { Measurement } from "../../bench/measure.ts";
import {
  compareRuns,
  comparisonTable,
  formatRun,
  jsonLine,
  measurementTable,
  parseRun,
} from "../../bench/report.ts";
import { UsageError } from "../../support/errors.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";

const RATE: Measurement = {
  case: "matmul768",
  value: 31.23456,
  unit: "GFLOP/s",
  best: 33,
  ms: 29,
  ofCeiling: 0.25,
};
const PASS: Measurement = { ...RATE, case: "adam", unit: "GB/s", ofLeast: 1.25 };
const STEP: Measurement = { case: "ddpm_step", value: 0.2, unit: "s/step", ofCeiling: null };

Deno.test("jsonLine() has the fields of peers' lines, rounded", () => {
  assertEquals(JSON.parse(jsonLine(RATE, "card")), {
    lib: "diffract",
    case: "matmul768",
    value: 31.23,
    unit: "GFLOP/s",
    ofCeiling: 0.25,
    adapter: "card",
    best: 33,
    ms: 29,
  });
  assertEquals(JSON.parse(jsonLine(STEP, "card")).ofCeiling, null);
  assertEquals(JSON.parse(jsonLine(PASS, "card")).ofLeast, 1.25);
  assertEquals(JSON.parse(jsonLine({ case: "a", error: "wrong" }, "card")), {
    lib: "diffract",
    case: "a",
    error: "wrong",
    adapter: "card",
  });
});

Deno.test("measurementTable() shows shares as percentages and failures below", () => {
  const text = measurementTable([RATE, PASS, STEP, { case: "fft2", error: "element 1 is off" }]);
  assertStringIncludes(text, "25.0 %");
  assertStringIncludes(text, "31.23");
  assertStringIncludes(text, "1.25");
  assertStringIncludes(text, "fft2: element 1 is off");
});

Deno.test("compareRuns() makes faster mean above one for rates and for times", () => {
  const now = [
    { ...RATE, value: 62.46912, ofCeiling: 0.3 },
    { ...STEP, value: 0.1 },
    { ...STEP, case: "new" },
  ];
  const [rate, step, ...rest] = compareRuns([RATE, STEP], now);
  assertEquals([rate!.speedup, step!.speedup], [2, 2]);
  assertEquals([rate!.speedupOfShare, step!.speedupOfShare], [0.3 / 0.25, null]);
  assertEquals(rest, []);
  assertStringIncludes(comparisonTable([rate!, step!]), "1.20");
});

Deno.test("parseRun() gives back what formatRun() wrote", () => {
  const run = { adapter: "card", date: "2026-01-01", runtime: "Deno", measurements: [RATE, STEP] };
  assertEquals(parseRun(formatRun(run), "a.json"), run);
});

Deno.test("parseRun() refuses text that is no run and names the file", () => {
  const complete = { adapter: "card", date: "2026-01-01" };
  for (
    const text of [
      "{",
      "null",
      "{}",
      JSON.stringify(complete),
      JSON.stringify({ ...complete, measurements: [{ case: 1 }] }),
      JSON.stringify({ measurements: [] }),
    ]
  ) assertThrows(() => parseRun(text, "a.json"), UsageError, "Cannot read a.json");
});
