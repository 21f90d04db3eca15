import { join } from "node:path";
import { atomicWrite } from "../../../support/files.ts";
import { linesUpTo } from "../../../training/log.ts";
import { Model, type Run, secondsLeft, stateOf } from "../../../commands/dashboard/page/model.ts";
import type { DashboardMessage } from "../../../commands/dashboard/protocol.ts";
import { RunWatch } from "../../../commands/dashboard/watch.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { WrittenRun } from "./written_run.ts";

/** A page without a screen: takes what the watch tells, as the real one does. */
class Reader {
  readonly model = new Model();
  readonly messages: DashboardMessage[] = [];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(watch: RunWatch) {
    this.#reader = watch.listen().getReader();
  }

  /** Takes the next message. */
  async take(): Promise<void> {
    const { value } = await this.#reader.read();
    const text = new TextDecoder().decode(value);
    // A sign of life.
    if (text === ":\n\n") return;
    const message = JSON.parse(/^data: (.*)\n\n$/s.exec(text)![1]!);
    this.messages.push(message);
    this.model.apply(message);
  }

  /** Takes messages until something holds. */
  async until(condition: (model: Model) => unknown): Promise<void> {
    while (!condition(this.model)) await this.take();
  }

  run(name: string): Run {
    const run = this.model.list.find(({ info }) => info.name === name);
    assert(run, `there is a run ${name}`);
    return run;
  }

  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}

async function watching(
  folder: string,
  body: (reader: Reader, watch: RunWatch) => Promise<void>,
  everyMs = 20,
): Promise<void> {
  const complaints: unknown[] = [];
  const watch = new RunWatch([folder], { everyMs, complain: (error) => complaints.push(error) });
  const reader = new Reader(watch);
  try {
    await body(reader, watch);
  } finally {
    await reader.close();
    await watch.close();
  }
  assertEquals(complaints, []);
}

const lossOf = (run: Run) => run.series.get("loss");

Deno.test("RunWatch tells of a run that begins later, grows, and is removed", () =>
  inFolder((folder) =>
    watching(folder, async (reader) => {
      await reader.take();
      assertEquals(reader.model.list, []);
      const run = await WrittenRun.create(join(folder, "late"));
      await reader.until(({ list }) => list.length === 1);
      assertEquals(reader.run("late").info.steps, 100);
      await run.writeStep(10, 1);
      await reader.until(({ list }) => list[0]?.info.step === 10);
      await run.writeStep(20, 0.5);
      await run.writeSample(20, 9);
      await reader.until(({ list }) => list[0]?.spectra.length);
      const { samples, spectra, bandMap, data } = reader.run("late");
      assertEquals(lossOf(reader.run("late")), { steps: [10, 20], values: [1, 0.5] });
      assertEquals(samples.map(({ step, file }) => [step, file]), [[20, "step-000020.png"]]);
      assertEquals([spectra[0]!.distance, data!.power.length, bandMap!.to], [0.5, 4, 20]);
      await Deno.remove(run.dir, { recursive: true });
      await reader.until(({ list }) => list.length === 0);
    })
  ));

Deno.test("RunWatch gives a page that comes later the same as one that was there all the time", () =>
  inFolder((folder) =>
    watching(folder, async (first, watch) => {
      const run = await WrittenRun.create(join(folder, "a"));
      for (let step = 10; step <= 50; step += 10) {
        await run.writeStep(step, 1 / step);
        await first.until(({ list }) => list[0]?.info.step === step);
      }
      await run.writeSample(60, 1);
      await first.until(({ list }) =>
        list[0]?.spectra.length === 1 && list[0].samples.length === 1
      );
      const second = new Reader(watch);
      await second.take();
      assertEquals(second.run("a"), first.run("a"));
      await second.close();
    })
  ));

Deno.test("RunWatch takes back what a resumed run has cut from its log", () =>
  inFolder((folder) =>
    watching(folder, async (reader) => {
      const run = await WrittenRun.create(join(folder, "a"));
      for (const step of [10, 20, 30]) await run.writeStep(step, step);
      await reader.until(({ list }) => list[0]?.info.step === 30);
      // As Log.open() does, and then the run goes on differently.
      const kept = linesUpTo(await Deno.readTextFile(run.log), 20);
      await atomicWrite(run.log, kept);
      await run.writeStep(30, 7);
      await reader.until(({ list }) => list[0] && lossOf(list[0])?.values.at(-1) === 7);
      assertEquals(lossOf(reader.run("a")), { steps: [10, 20, 30], values: [10, 20, 7] });
      assertEquals(reader.run("a").config?.["optim.lr"], 1e-3);
    })
  ));

Deno.test("RunWatch waits for the end of a line, and passes over lines and configs that are broken", () =>
  inFolder((folder) =>
    watching(folder, async (reader) => {
      const run = await WrittenRun.create(join(folder, "a"));
      await Deno.writeTextFile(run.log, '{"step":10,"lo', { append: true });
      await reader.until(({ list }) => list.length === 1);
      assertEquals(reader.run("a").series.size, 0);
      assertEquals(reader.run("a").info.unread, null);
      await Deno.writeTextFile(run.log, 'ss":3}\nno line\n\0\n[]\n', { append: true });
      await atomicWrite(join(run.dir, "config.json"), "{");
      await reader.until(({ list }) => list[0]!.info.step === 10 && list[0]!.config === null);
      assertEquals(lossOf(reader.run("a")), { steps: [10], values: [3] });
      assertEquals(reader.run("a").info.steps, null);
      assertEquals(reader.run("a").info.unread, { count: 3, first: 2 });
    })
  ));

Deno.test("RunWatch shows a new picture under an old name, and evaluations", () =>
  inFolder((folder) =>
    watching(folder, async (reader) => {
      const run = await WrittenRun.create(join(folder, "a"));
      await run.writeSample(20, 1);
      await reader.until(({ list }) => list[0]?.samples.length === 1);
      const { version } = reader.run("a").samples[0]!;
      await run.writeSample(20, 2);
      await reader.until(({ list }) => list[0]!.samples[0]!.version !== version);
      const line = '{"step":20,"ema":{"frechetDistance":7},"raw":{}}\n';
      await Deno.writeTextFile(join(run.dir, "eval.jsonl"), line);
      await reader.until(({ list }) => list[0]!.series.has("metric/ema/frechetDistance"));
    })
  ));

Deno.test("RunWatch tells the pace that it sees, and before that the one in the log", () =>
  inFolder((folder) =>
    watching(folder, async (reader, watch) => {
      await reader.take();
      const run = await WrittenRun.create(join(folder, "a"));
      await run.writeStep(10, 1);
      await Deno.utime(run.log, 1000, 1000);
      await watch.look();
      await reader.until(({ list }) => list[0]?.info.secondsAStep);
      // Batches of 4 at 40 images a second.
      assertEquals(reader.run("a").info.secondsAStep, 0.1);
      await run.writeStep(20, 1);
      await Deno.utime(run.log, 1030, 1030);
      await watch.look();
      await reader.until(({ list }) => list[0]!.info.updated === 1_030_000);
      assertEquals(reader.run("a").info.secondsAStep, 3);
      // Looked at by hand: a look between a line and its time would take the time of writing.
    }, 1e9)
  ));

Deno.test("stateOf() and secondsLeft() follow the clock", () => {
  const run = (
    info: Partial<Run["info"]>,
    config: Run["config"] = { "train.logEvery": 10 },
  ): Run => ({
    ...{ id: "a", config, series: new Map(), samples: [], bandMap: null, data: null, spectra: [] },
    info: {
      ...{ name: "a", group: "a", path: "/a", step: 40, steps: 100, updated: 50_000 },
      ...{ secondsAStep: 2, unread: null, ...info },
    },
  });
  assertEquals(secondsLeft(run({}), 50_000), 120);
  assertEquals(secondsLeft(run({}), 60_000), 110);
  assertEquals(secondsLeft(run({}), 9e9), 2, "a late line does not end the run");
  assertEquals(secondsLeft(run({ step: 100 }), 60_000), 0);
  assertEquals(secondsLeft(run({ secondsAStep: null }), 60_000), null);
  assertEquals(stateOf(run({}), 60_000), "running");
  // Eight lines of ten steps of two seconds.
  assertEquals(stateOf(run({}), 50_000 + 160_000), "running");
  assertEquals(stateOf(run({}), 50_000 + 160_001), "quiet");
  assertEquals(stateOf(run({ secondsAStep: null }, null), 50_000 + 90_001), "quiet");
  assertEquals(stateOf(run({ step: 100 }), 9e9), "finished");
  assertEquals(stateOf(run({ updated: null, step: 0 }), 0), "waiting");
});
