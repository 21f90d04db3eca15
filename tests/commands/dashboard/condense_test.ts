import { CondensedLog } from "../../../commands/dashboard/condense.ts";
import { assertEquals } from "../../support/assert.ts";

function logOf(...lines: (object | string)[]): CondensedLog {
  const log = new CondensedLog();
  for (const line of lines) log.add(typeof line === "string" ? line : JSON.stringify(line));
  return log;
}

const bandLine = (step: number, value: number, count = 1) => ({
  ...{ step, event: "bandLoss", timesteps: [0, 5, 10], bands: [0, 1], counts: [count, count] },
  epsilon: [[value, 1], [value, null]],
});

Deno.test("CondensedLog keeps numbers by name and tells each once", () => {
  const log = logOf({ step: 1, loss: 2, lr: 0.1 }, { step: 2, loss: 1 });
  assertEquals(log.news(), {
    series: { loss: { steps: [1, 2], values: [2, 1] }, lr: { steps: [1], values: [0.1] } },
  });
  assertEquals(log.news(), {});
  log.add('{"step":3,"loss":0.5}');
  assertEquals(log.news(), { series: { loss: { steps: [3], values: [0.5] } } });
  assertEquals(log.whole().series.loss, { steps: [1, 2, 3], values: [2, 1, 0.5] });
  assertEquals([log.step, log.last("loss"), log.last("none")], [3, 0.5, undefined]);
});

Deno.test("CondensedLog passes over what is no line, and over lines that are not as they should be", () => {
  const log = logOf(
    ...["", "{", "null", "[]", '"text"', "1", '{"loss":1}', '{"step":"1","loss":1}', "\0\0"],
    { step: 1, loss: null },
    { step: 1, loss: "<script>" },
    { step: 1, event: "bandLoss" },
    { ...bandLine(1, 1), epsilon: [["x"]] },
    { ...bandLine(1, 1), counts: null },
    { step: 1, event: "spectra", data: null, samples: { power: "x" } },
    { step: 1, event: "checkpoint", file: "a", bytes: 3 },
    { step: 1, event: { odd: true }, loss: 1 },
  );
  assertEquals(log.news(), {});
  // The empty line is none of the eight.
  assertEquals(log.unread, { count: 8, first: 2 });
});

Deno.test("CondensedLog keeps means by band of all matrices, and the mean of the last tenth", () => {
  const log = new CondensedLog();
  for (let step = 1; step <= 20; step++) log.add(JSON.stringify(bandLine(step, step, step)));
  const { series, bandMap } = log.whole();
  assertEquals(Object.keys(series), ["band/0", "band/1+"]);
  assertEquals(series["band/0"]!.values.at(-1), 20);
  assertEquals(series["band/1+"]!.values.at(-1), 1);
  const mean = (19 * 19 + 20 * 20) / 39;
  assertEquals(bandMap, {
    ...{ from: 19, to: 20, timesteps: [0, 5, 10], labels: ["0", "1+"] },
    values: [[mean, 1], [mean, null]],
  });
});

Deno.test("CondensedLog takes spectra, evaluations, final samples and events that it does not know", () => {
  const samples = { count: 2, power: [1, 2], exponent: 1, distance: 3, highBandError: 4 };
  const data = { power: [5, 6], exponent: 2, error: [0, 0] };
  const log = logOf({ step: 5, event: "spectra", data, samples, probe: [] });
  log.addEvaluation('{"step":5,"ema":{"fid":7},"raw":{"fid":8},"best":true}');
  log.addFinal(JSON.stringify({ step: 9, data, samples: { ...samples, distance: 1 } }));
  log.add('{"step":6,"event":"novel","heat":3}');
  const { series, spectra, data: shown } = log.whole();
  assertEquals(shown, { power: [5, 6], exponent: 2 });
  assertEquals(spectra, [{ step: 5, ...samples }, { step: 9, ...samples, distance: 1 }]);
  assertEquals(Object.keys(series), ["metric/ema/fid", "metric/raw/fid", "novel/heat"]);
});

Deno.test("CondensedLog thins long curves when they are told whole, and keeps their ends", () => {
  const log = new CondensedLog();
  for (let step = 1; step <= 10_000; step++) log.add(`{"step":${step},"loss":${step}}`);
  const { steps } = log.whole().series.loss!;
  assertEquals([steps.length <= 4001, steps[0], steps.at(-1)], [true, 1, 10_000]);
});
