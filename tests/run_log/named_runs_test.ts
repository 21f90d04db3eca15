import { join, relative } from "node:path";
import { UsageError } from "../../support/errors.ts";
import { forEachRun, namedRuns } from "../../run_log/named_runs.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";

/** Makes folders with a log each. */
async function writeLogs(folder: string, ...names: string[]): Promise<void> {
  for (const name of names) {
    await Deno.mkdir(join(folder, name), { recursive: true });
    await Deno.writeTextFile(join(folder, name, "log.jsonl"), '{"step":1,"loss":2}\n');
  }
}

async function writeNote(folder: string, text: string): Promise<void> {
  await Deno.writeTextFile(join(folder, "experiment.json"), text);
}

/** Names below `folder` of the runs that paths below it name, and the notes. */
async function found(folder: string, ...paths: string[]) {
  const notes: string[] = [];
  const runs = await namedRuns(
    paths.map((path) => `${folder}/${path}`),
    "look at",
    (line) => notes.push(line),
  );
  return { names: runs.map(({ dir }) => relative(folder, dir)), runs, notes };
}

Deno.test("namedRuns() counts a run once, however often and in whatever way it is named", () =>
  inFolder(async (folder) => {
    await writeLogs(folder, "runs/a", "runs/b");
    await Deno.symlink(join(folder, "runs/a"), join(folder, "link"));
    const paths = ["runs", "runs/../runs/a", "runs/a/", "./runs", "link"];
    const { names, runs } = await found(folder, ...paths);
    assertEquals(names, ["runs/a", "runs/b"]);
    assertEquals(runs.map(({ itself }) => itself), [true, false]);
    assertEquals((await found(folder, "runs/b", "runs")).names, ["runs/b", "runs/a"]);
  }));

Deno.test("namedRuns() finds runs that lie in an experiment's folder and are not of its methods", () =>
  inFolder(async (folder) => {
    await writeLogs(
      folder,
      ...["exp/m/again", "exp/m/seed-1", "exp/k/seed-1", "exp/k/seed-2", "exp/old/seed-1"],
    );
    await writeNote(join(folder, "exp"), '{"methods":["m","k"]}');
    const own = ["exp/m/seed-1", "exp/k/seed-1", "exp/k/seed-2"];
    assertEquals((await found(folder, "exp")).names, own);
    assertEquals((await found(folder, "")).names, [...own, "exp/m/again", "exp/old/seed-1"]);
  }));

Deno.test("namedRuns() says which experiment.json is damaged: an error of one named, else a note", () =>
  inFolder(async (folder) => {
    await writeLogs(folder, "exp/b/seed-1", "exp/a/seed-1", "exp/a/seed-2");
    const path = join(folder, "exp", "experiment.json");
    const texts = [
      ['{"methods":["b",', /^Cannot .*experiment\.json.*line 1/],
      ['{"methods":[1]}', /^Cannot read .*experiment\.json: methods must be a list of names/],
    ] as const;
    for (const [text, message] of texts) {
      await writeNote(join(folder, "exp"), text);
      const error = await assertRejects(() => found(folder, "exp"), UsageError);
      assertMatch(error.message, message);
      assert(error.message.includes(path), error.message);
      const { names, notes } = await found(folder, "");
      assertEquals(names, ["exp/a/seed-1", "exp/a/seed-2", "exp/b/seed-1"]);
      assertEquals(notes, [`${error.message}; its runs are taken as runs of no experiment`]);
    }
  }));

Deno.test("namedRuns() says of a path that cannot be looked at what keeps it from that", () =>
  inFolder(async (folder) => {
    const path = join(folder, "x".repeat(300));
    const error = await assertRejects(() => namedRuns([path], "look at", () => {}), Error);
    assertEquals(error.message, `Cannot look at ${path}: the name must be shorter`);
  }));

Deno.test({
  name: "namedRuns() says of a folder that may not be read that permission is denied",
  // A superuser may read all.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  fn: () =>
    inFolder(async (folder) => {
      await writeLogs(folder, "runs/a");
      const path = join(folder, "runs");
      for (const mode of [0o000, 0o300]) {
        await Deno.chmod(path, mode);
        const error = await assertRejects(() => namedRuns([path], "look at", () => {}), Error)
          .finally(() => Deno.chmod(path, 0o700));
        assertMatch(error.message, /^Cannot look at .*: .*permission denied$/);
      }
    }),
});

Deno.test("forEachRun() leaves out runs that it found and cannot use, and ends at one that is named", () =>
  inFolder(async (folder) => {
    await writeLogs(folder, "a", "b", "c");
    const notes: string[] = [];
    const work = (bad: string[]) => ({ dir }: { dir: string }) => {
      const name = relative(folder, dir);
      return bad.includes(name)
        ? Promise.reject(new UsageError(`Cannot use ${name}`))
        : Promise.resolve(name);
    };
    const run = (paths: string[], bad: string[]) =>
      forEachRun(paths, "look at", work(bad), (line) => notes.push(line));
    assertEquals(await run([folder], ["b"]), ["a", "c"]);
    assertEquals(notes, [`${join(folder, "b")} is left out: Cannot use b`]);
    const named = await assertRejects(() => run([folder, join(folder, "b")], ["b"]), UsageError);
    assertEquals(named.message, "Cannot use b");
    const none = await assertRejects(() => run([folder], ["a", "b", "c"]), UsageError);
    assertMatch(none.message, /^Cannot look at .*: a run in it must be usable/);
    const broken = () => forEachRun([folder], "look at", () => Promise.reject(new Error("full")));
    assertEquals((await assertRejects(broken, Error)).message, "full");
  }));
