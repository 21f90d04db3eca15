import { join } from "node:path";
import { compareRuns, killRuns } from "../../../dev/killtest/main.ts";
import { assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

Deno.test("killRuns() kills a run twice, and it ends as one that was left alone", () =>
  inFolder(async (dir) => {
    const lines: string[] = [];
    const say = (line: string) => void lines.push(line);
    // Of this seed, the run is killed at two writes.
    const report = await killRuns({ runs: 1, seed: 34, steps: 24, dir, say });
    assertEquals(report.failures, []);
    assertEquals(report.kills, 2, lines.join("\n"));
  }));

Deno.test("compareRuns() sees every difference but times and places", () =>
  inFolder(async (dir) => {
    const [a, b] = [join(dir, "a"), join(dir, "b")];
    const write = async (run: string, files: Readonly<Record<string, string>>) => {
      await Deno.mkdir(join(run, "samples"), { recursive: true });
      for (const [name, text] of Object.entries(files)) {
        await Deno.writeTextFile(join(run, name), text);
      }
    };
    await write(a, {
      "log.jsonl": '{"step":1,"loss":2,"imagesPerSecond":3}\n',
      "config.json": '{"run":{"dir": "a"}}',
      "samples/1.png": "x",
    });
    await write(b, {
      "log.jsonl": '{"step":1,"loss":2,"imagesPerSecond":4}\n',
      "config.json": '{"run":{"dir": "b"}}',
      "samples/1.png": "x",
    });
    assertEquals(await compareRuns(a, b), []);
    await write(b, { "log.jsonl": '{"step":1,"loss":3,"imagesPerSecond":4}\n', ".a.tmp": "" });
    await Deno.remove(join(b, "samples/1.png"));
    const differences = await compareRuns(a, b);
    assertEquals(differences.sort(), [
      ".a.tmp is too many",
      "log.jsonl",
      "samples/1.png is missing",
    ]);
  }));
