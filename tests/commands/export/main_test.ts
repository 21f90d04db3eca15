import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { assertAllClose, assertEquals, assertMatch } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, runScript } from "../../support/runs.ts";
import { itemsOf, readWandb } from "../../support/wandb_reader.ts";

const exported = (folder: string, ...args: string[]) =>
  runScript("commands/export/main.ts", args, folder);

/** Two runs below runs/, the first with an evaluation, a picture and a torn line. */
async function makeRuns(folder: string): Promise<void> {
  for (const name of ["a", "b/seed-1"]) {
    const run = join(folder, "runs", name);
    await Deno.mkdir(run, { recursive: true });
    await Deno.writeTextFile(join(run, "config.json"), '{"train":{"batchSize":10}}');
    const lines = [
      '{"step":1,"loss":2,"lr":0.5,"imagesPerSecond":5}',
      '{"step":2,"loss":1,"lr":0.5,"imagesPerSecond":10}',
      '{"step":2,"valLoss":3}',
      '{"step":2,"event":"sample","file":"samples/step-000002.png"}',
      '{"step":2,"event":"evaluation","file":"eval.jsonl"}',
      '{"step":3,"lo',
    ];
    await Deno.writeTextFile(join(run, "log.jsonl"), lines.join("\n"));
    await Deno.writeTextFile(join(run, "eval.jsonl"), '{"step":2,"ema":{"frechetDistance":7}}\n');
    await Deno.utime(join(run, "log.jsonl"), 5000, 5000);
  }
}

const ROWS = [
  [1, { "loss/training": 2, "optimiser/learning rate": 0.5, "speed/images per second": 5 }],
  [2, {
    ...{ "loss/training": 1, "optimiser/learning rate": 0.5, "speed/images per second": 10 },
    ...{ "loss/validation": 3, "metrics/ema/frechetDistance": 7 },
  }],
];

Deno.test("export --to trackio writes a project's database, replaces its own runs and no others", () =>
  inFolder(async (folder) => {
    await makeRuns(folder);
    const args = ["runs", "--to", "trackio", "--out", "t", "--project", "my project/1"];
    for (const _ of [1, 2]) {
      const result = await exported(folder, ...args);
      assertEquals([result.code, result.err], [0, ""]);
    }
    const database = new DatabaseSync(join(folder, "t", "myproject1.db"));
    const rows = database.prepare("SELECT * FROM metrics ORDER BY run_name, step").all();
    assertEquals(rows.map(({ run_name }) => run_name), ["a", "a", "b/seed-1", "b/seed-1"]);
    assertEquals(
      rows.slice(0, 2).map(({ step, metrics }) => [step, JSON.parse(String(metrics))]),
      ROWS,
    );
    assertEquals(rows.slice(0, 2).map(({ timestamp }) => timestamp), [
      "1970-01-01T01:23:19.000+00:00",
      "1970-01-01T01:23:20.000+00:00",
    ]);
    const configs = database.prepare("SELECT run_name, config FROM configs").all();
    assertEquals(configs.length, 2);
    const { train, ...rest } = JSON.parse(String(configs[0]!.config));
    assertEquals(train, { batchSize: 10 });
    assertEquals(Object.keys(rest), ["_Created", "_Exporter"]);
    database.exec("UPDATE configs SET config = '{}' WHERE run_name = 'b/seed-1'");
    database.close();
    const foreign = await exported(folder, "runs/b/seed-1", ...args.slice(1));
    assertEquals(foreign.code, 2);
    assertMatch(
      errorLines(foreign)[0]!,
      /^error: Cannot write run b\/seed-1 .*not written; choose/,
    );
  }));

Deno.test("export --to wandb writes an offline folder of a run once, and wrong use says what is missing", () =>
  inFolder(async (folder) => {
    await makeRuns(folder);
    const args = ["runs/a", "--to", "wandb"];
    const result = await exported(folder, ...args);
    assertEquals([result.code, result.err], [0, ""]);
    const [{ name: offline }] = [...Deno.readDirSync(join(folder, "wandb"))] as [Deno.DirEntry];
    const [, id] = /^offline-run-19700101_012319-([a-z0-9]{8})$/.exec(offline) ?? [];
    const records = readWandb(
      await Deno.readFile(join(folder, "wandb", offline, `run-${id}.wandb`)),
    );
    assertEquals(records[1]!.run.runId, id);
    assertEquals(itemsOf(records[1]!.run.config.update), { train: { batchSize: 10 } });
    const history = records.flatMap(({ history }) => history ? [itemsOf(history.item)] : []);
    assertEquals(
      history.map(({ _step, _timestamp: _, _runtime: __, ...values }) => [_step, values]),
      ROWS,
    );
    assertAllClose(history.map(({ _timestamp }) => _timestamp as number), [4999, 5000]);
    const again = await exported(folder, ...args);
    assertEquals(again.code, 2);
    assertMatch(errorLines(again)[0]!, /must not be there yet, offline-run-.* is; remove that/);
    const lacking = await exported(folder, "runs/a");
    assertEquals(lacking.code, 2);
    assertMatch(errorLines(lacking)[0]!, /--to trackio, wandb or hub must be given/);
  }));
