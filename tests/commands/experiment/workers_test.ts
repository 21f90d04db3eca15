import { join } from "node:path";
import { FAILED, runWorkers } from "../../../commands/experiment/workers.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

/** Notes each start of a run; "flaky" works the second time, "wrong" and "hopeless" never. */
const SCRIPT = `
const [file, , name, key] = Deno.args;
const at = new URL("./" + name, import.meta.url);
let starts = 0;
try { starts = Deno.readTextFileSync(at).length; } catch { /* the first */ }
Deno.writeTextFileSync(at, "x".repeat(starts + 1));
console.log("file " + file + " " + key);
if (name === "flaky" && starts === 0) Deno.kill(Deno.pid, "SIGKILL");
if (name === "dead") Deno.exit(1);
if (name === "wrong") Deno.exit(2);
if (name === "hopeless") Deno.exit(${FAILED});
`;

Deno.test("runWorkers() takes up what dies, gives up what always fails, and passes everything on", () =>
  inFolder(async (folder) => {
    const script = join(folder, "script.ts"), lines: string[] = [];
    await Deno.writeTextFile(script, SCRIPT);
    const names = ["fine", "flaky", "dead", "wrong", "hopeless"];
    const failed = await runWorkers(names, {
      ...{ file: "grid.json", overrides: [["optim.lr", "0.5"]], jobs: 2, script },
      ...{ signal: new AbortController().signal, say: (line) => lines.push(line) },
    });
    assertEquals(failed.toSorted(), ["dead", "hopeless", "wrong"]);
    const starts = await Promise.all(
      names.map(async (name) => (await Deno.readTextFile(join(folder, name))).length),
    );
    assertEquals(starts, [1, 2, 3, 1, 1]);
    assert(lines.includes("fine: file grid.json --optim.lr=0.5"), lines.join("\n"));
    assert(lines.includes("flaky: goes on, attempt 2"), lines.join("\n"));
  }));

Deno.test("runWorkers() starts nothing once it was asked to stop", async () => {
  const stop = new AbortController();
  stop.abort();
  const options = { file: "grid.json", overrides: [], jobs: 3, signal: stop.signal };
  assertEquals(await runWorkers(["a", "b"], { ...options, say: () => {} }), []);
});
