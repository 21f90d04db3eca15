import { encodeWandb } from "../../formats/wandb.ts";
import { assertEquals } from "../support/assert.ts";
import { itemsOf, readWandb } from "../support/wandb_reader.ts";

const FACTS = { id: "abc12345", project: "p", name: "runs/a", begun: 1000.5, ended: 1060 };

Deno.test("encodeWandb() writes a run that a decoder of W&B's schema reads back", () => {
  const config = { model: { name: "unet", channels: [1, 2] }, seed: 3 };
  const history = [
    { step: 1, time: 1000.5, values: { "loss/training": 2 } },
    { step: 5, time: 1050.5, values: { "loss/training": 1.5, "loss/validation": 4 } },
  ];
  const records = readWandb(encodeWandb({ ...FACTS, config, history }, "diffract"));
  assertEquals(records.map(({ num }) => num), [1, 2, 3, 4, 5, 6, 7]);
  const [header, run, first, second, summary, exit, footer] = records;
  assertEquals(header!.header.versionInfo.producer, "diffract");
  assertEquals(itemsOf(run!.run.config.update), config);
  const { runId, project, displayName, startTime } = run!.run;
  assertEquals([runId, project, displayName], ["abc12345", "p", "runs/a"]);
  assertEquals(startTime, { seconds: 1000, nanos: 5e8 });
  assertEquals([first!.history.step.num, second!.history.step.num], [1, 5]);
  const last = {
    ...{ "loss/training": 1.5, "loss/validation": 4 },
    ...{ _step: 5, _timestamp: 1050.5, _runtime: 50 },
  };
  assertEquals(itemsOf(second!.history.item), last);
  assertEquals(itemsOf(summary!.summary.update), { ...last, _wandb: { runtime: 59 } });
  assertEquals(exit!.exit, { runtime: 59 });
  assertEquals(footer!.footer, {});
});

Deno.test("encodeWandb() cuts records at blocks, wherever one ends", () => {
  // The record of the config ends so many bytes before its block does, and 70,000 takes three.
  for (const rest of [0, 1, 6, 7, 8, 70_000]) {
    const sized = (length: number) =>
      encodeWandb({ ...FACTS, config: { text: "x".repeat(length) }, history: [] }, "d");
    const empty = endOfRun(sized(20_000)), length = rest === 70_000 ? rest : 52_768 - empty - rest;
    const bytes = sized(length), [, run] = readWandb(bytes);
    if (rest < 70_000) assertEquals(endOfRun(bytes), 32_768 - rest);
    assertEquals(itemsOf(run!.run.config.update), { text: "x".repeat(length) });
  }
});

/** Where the second record of a log ends, which is whole. */
function endOfRun(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer);
  const after = (at: number) => at + 7 + view.getUint16(at + 4, true);
  return after(after(7));
}
