import { join } from "node:path";
import { encodePng } from "../../../formats/png.ts";
import { EventFile, eventFilesIn } from "../../../run_log/event_file.ts";
import { wallTimes } from "../../../run_log/tracked_run.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../support/assert.ts";
import { type ReadEvent, readEvents, scalarsOf } from "../../support/event_file_reader.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, runScript } from "../../support/runs.ts";

async function readFolder(folder: string): Promise<ReadEvent[][]> {
  return await Promise.all(eventFilesIn(folder).map((name) => readEvents(join(folder, name))));
}

Deno.test("train.tensorboard writes what the log has, and a resumed run goes on in a new file", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run");
    const train = async (...args: string[]) => {
      const result = await runScript("train.ts", [
        ...["--config", "config/smoke.json", "--train.tensorboard=true", `--run.dir=${run}`],
        ...args,
      ]);
      assertEquals(result.code, 0, result.err);
    };
    await train("--train.steps=3");
    // As if the first run had been killed a step after its last checkpoint.
    const [first] = eventFilesIn(run);
    const late = EventFile.create({ run, start: 0, configText: "{}" });
    late.write({ step: 4, loss: 99, valLoss: 98 });
    late.close();
    await train("--resume", "--train.steps=6");

    const files = await readFolder(run);
    assertEquals(files.length, 3);
    assertEquals(eventFilesIn(run)[0], first, "files are in the order of their starts");
    const series = scalarsOf(files);
    const log = (await Deno.readTextFile(join(run, "log.jsonl"))).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    const tags = {
      loss: "loss/training",
      valLoss: "loss/validation",
      lr: "optimiser/learning rate",
      gradNorm: "optimiser/gradient norm",
      imagesPerSecond: "speed/images per second",
    };
    for (const [field, tag] of Object.entries(tags)) {
      const lines = log.filter((line) => line[field] !== undefined);
      assert(lines.length > 1, `the log has ${field}`);
      assertEquals(
        [...series.get(tag) ?? []],
        lines.map((line) => [line.step, Math.fround(line[field])]),
        tag,
      );
    }
    const values = files.flat().flatMap(({ step, summary }) =>
      summary?.value.map((value) => ({ step, ...value })) ?? []
    );
    const pictures = values.filter(({ tag }) => tag === "samples");
    assertEquals(pictures.map(({ step }) => step), [3, 6]);
    for (const { step, image } of pictures) {
      const png = await Deno.readFile(join(run, "samples", `step-00000${step}.png`));
      assertEquals(Uint8Array.from(image!.encoded_image_string), png);
    }
    const config = values.findLast(({ tag }) => tag === "config")!;
    assertEquals(config.step, 3);
    assertStringIncludes(
      new TextDecoder().decode(config.tensor!.string_val[0]),
      (await Deno.readTextFile(join(run, "config.json"))).trimEnd(),
    );
    assert(series.get("noise loss by frequency/0")!.size > 1, "bands are there");
    assert(series.get("spectra/distance to data")!.size > 1, "spectra are there");
  }));

Deno.test("a run without train.tensorboard has no event files; the command makes them of its log", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run");
    await Deno.mkdir(join(run, "samples"), { recursive: true });
    await Deno.writeTextFile(join(run, "config.json"), '{"train":{"batchSize":10}}');
    const png = encodePng({ width: 2, height: 3, channels: 1, data: new Uint8Array(6) });
    await Deno.writeFile(join(run, "samples", "step-000002.png"), png);
    const lines = [
      '{"step":1,"loss":2,"lr":0.5,"gradNorm":1,"imagesPerSecond":5}',
      '{"step":2,"loss":1,"lr":0.5,"gradNorm":1,"imagesPerSecond":10}',
      '{"step":2,"event":"sample","file":"samples/step-000002.png"}',
      '{"step":2,"event":"sample","file":"samples/gone.png"}',
      '{"step":2,"event":"evaluation","file":"eval.jsonl","frechetDistance":7}',
      '{"step":2,"event":"checkpoint","file":"checkpoints/step-000002.safetensors"}',
      '{"step":3,"lo',
    ];
    await Deno.writeTextFile(join(run, "log.jsonl"), lines.join("\n"));
    await Deno.writeTextFile(
      join(run, "eval.jsonl"),
      '{"step":2,"ema":{"frechetDistance":7},"raw":{"frechetDistance":9}}\n',
    );
    await Deno.utime(join(run, "log.jsonl"), 5000, 5000);

    const out = join(folder, "out");
    const result = await runScript("commands/tensorboard/main.ts", [run, "--out", out]);
    assertEquals(result.code, 0, result.err);
    const [events = []] = await readFolder(join(out, "run"));
    assertEquals([...scalarsOf([events])], [
      ["loss/training", new Map([[1, 2], [2, 1]])],
      ["optimiser/learning rate", new Map([[1, 0.5], [2, 0.5]])],
      ["optimiser/gradient norm", new Map([[1, 1], [2, 1]])],
      ["speed/images per second", new Map([[1, 5], [2, 10]])],
      ["metrics/ema/frechetDistance", new Map([[2, 7]])],
      ["metrics/raw/frechetDistance", new Map([[2, 9]])],
    ]);
    const images = events.flatMap(({ summary }) => summary?.value ?? []).filter((v) => v.image);
    assertEquals(images.length, 1);
    // The last step took a second of ten images.
    assertAllClose(
      events.filter(({ summary }) => summary).map((event) => event.wall_time),
      [4999, 4999, 5000, 5000, 5000],
    );

    const again = await runScript("commands/tensorboard/main.ts", [run, "--out", out]);
    assertEquals(again.code, 2);
    assertMatch(errorLines(again)[0]!, /^error: Cannot write events of .*remove it/);
  }));

Deno.test("tensorboard keeps the folders of runs below what is named, however it is written, and says what it cannot read", () =>
  inFolder(async (folder) => {
    for (const name of ["a/seed-1", "b"]) {
      const run = join(folder, "runs", name);
      await Deno.mkdir(run, { recursive: true });
      await Deno.writeTextFile(join(run, "config.json"), "{}");
      await Deno.writeTextFile(join(run, "log.jsonl"), '{"step":1,"loss":2}\n{"st\n{"step":2}\n');
    }
    const result = await runScript(
      "commands/tensorboard/main.ts",
      ["./runs", "--out", "out"],
      folder,
    );
    assertEquals([result.code, errorLines(result)], [
      0,
      ["a/seed-1", "b"].map((name) =>
        `note: ${join("runs", name, "log.jsonl")}: line 2 cannot be read and is left out`
      ),
    ]);
    for (const name of ["a/seed-1", "b"]) {
      assertEquals((await readFolder(join(folder, "out", "runs", name))).length, 1);
    }
  }));

Deno.test("tensorboard writes nothing when a path has no run or two runs would share a folder", () =>
  inFolder(async (folder) => {
    for (const name of ["p1/r", "p2/r"]) {
      await Deno.mkdir(join(folder, name), { recursive: true });
      await Deno.writeTextFile(join(folder, name, "config.json"), "{}");
      await Deno.writeTextFile(join(folder, name, "log.jsonl"), '{"step":1,"loss":2}\n');
    }
    const cases = [
      [["p1/r", "nope"], "Cannot write events of nope: it must be the folder of a run"],
      [
        ["p1/r", "p2/r", "--out", "events"],
        `Cannot write events of p1/r and p2/r: each must have a folder of its own, both would get ${
          join("events", "r")
        }`,
      ],
    ] as const;
    for (const [args, part] of cases) {
      const result = await runScript("commands/tensorboard/main.ts", args, folder);
      const lines = errorLines(result);
      assertEquals([result.code, result.out, lines.length], [2, "", 1], lines.join("\n"));
      assertStringIncludes(lines[0]!, part);
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["p1", "p2"]);
    assertEquals(eventFilesIn(join(folder, "p1", "r")), []);

    // Once more by another path is the same run, which has no other to be told from.
    const args = ["p1/r", join(folder, "p1", "r"), "--out", "events"];
    const same = await runScript("commands/tensorboard/main.ts", args, folder);
    assertEquals(same.code, 0, same.err);
    assertEquals((await readFolder(join(folder, "events", "r"))).length, 1);
  }));

Deno.test("wallTimes() counts back from the end by the speeds of the log", () => {
  const lines = [
    { step: 5, loss: 1, imagesPerSecond: 10 },
    { step: 5, valLoss: 1 },
    { step: 10, loss: 1, imagesPerSecond: 5 },
  ];
  assertEquals(wallTimes(lines, 4, 100), [96, 96, 100]);
  assertEquals(wallTimes([], 4, 100), []);
});
