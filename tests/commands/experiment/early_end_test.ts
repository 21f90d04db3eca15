import { join } from "node:path";
import { EndWatch, readEnd } from "../../../commands/experiment/early_end.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

const PATIENT = { minutes: null, patience: 2 };

Deno.test("EndWatch ends a run once its validation loss falls no more, also over a restart", () =>
  inFolder(async (dir) => {
    const losses = [0.5, 0.4, 0.45, 0.39, 0.41, 0.42, 0.1];
    const watch = new EndWatch(dir, PATIENT), mirror = watch.beside(0, null);
    const ended = losses.map((valLoss, i) => {
      mirror.write({ step: 10 * (i + 1), valLoss });
      return watch.signal.aborted;
    });
    assertEquals(ended, [false, false, false, false, false, true, true]);
    assertEquals(readEnd(dir), null);
    assertEquals(await watch.note(60), { reason: "patience", step: 60 });
    assertEquals(readEnd(dir), { reason: "patience", step: 60 });
    // A run that died after five losses, of which the log has one more than the checkpoint.
    const lines = losses.slice(0, 6).map((valLoss, i) =>
      JSON.stringify({ step: 10 * (i + 1), valLoss })
    );
    await Deno.writeTextFile(join(dir, "log.jsonl"), `${lines.join("\n")}\n`);
    const again = new EndWatch(dir, PATIENT), rest = again.beside(50, null);
    assertEquals(again.signal.aborted, false);
    rest.write({ step: 60, valLoss: 0.42 });
    assertEquals(again.signal.aborted, true);
    assertEquals(await new EndWatch(dir, PATIENT).note(60), null);
  }));

Deno.test("EndWatch counts minutes from the last checkpoint on, and passes lines on", () =>
  inFolder(async (dir) => {
    const early = { minutes: 1, patience: null }, seen: unknown[] = [];
    const other = { write: (event: unknown) => void seen.push(event), close: () => {} };
    const watch = new EndWatch(dir, early), mirror = watch.beside(0, other);
    watch.tick();
    assertEquals(watch.signal.aborted, false);
    mirror.write({ step: 5, event: "checkpoint", file: "x" });
    assertEquals(seen.length, 1);
    const { minutes } = JSON.parse(await Deno.readTextFile(join(dir, "minutes.json")));
    assert(minutes >= 0 && minutes < 1);
    // As if 59.999 s had gone by until the checkpoint.
    await Deno.writeTextFile(join(dir, "minutes.json"), JSON.stringify({ minutes: 59.9999 / 60 }));
    const again = new EndWatch(dir, early);
    again.beside(5, null);
    const until = performance.now() + 50;
    while (performance.now() < until) again.tick();
    assertEquals(await again.note(6), { reason: "minutes", step: 6 });
  }));
