import { testRuns } from "../../dev/test/main.ts";
import { assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/runs.ts";

Deno.test("testRuns() without files are the layering, every test once, and the documents' examples", () => {
  const [layers, together, others, documents, ...rest] = testRuns([]);
  assertEquals(layers!.at(-1), `${ROOT}dev/layers/main.ts`);
  const test = ["test", "-A", "--frozen"], folders = together!.slice(4);
  assertEquals(together, [...test, "--parallel", ...folders]);
  assertEquals(others, [...test, `--ignore=${folders.join()}`]);
  for (const folder of folders) {
    assertEquals(Deno.statSync(ROOT + folder).isDirectory, true, folder);
  }
  assertEquals(documents!.slice(0, 4), [...test, "--doc"]);
  for (const path of documents!.slice(5)) assertEquals(Deno.statSync(path).isFile, true, path);
  assertEquals(rest, []);
});

Deno.test("testRuns() of files, or of a name, runs those alone", () => {
  const test = ["test", "-A", "--frozen"];
  assertEquals(testRuns(["tests/a_test.ts", "tests/b"]), [[...test, "tests/a_test.ts", "tests/b"]]);
  assertEquals(testRuns([], "conv"), [[...test, "--filter", "conv"]]);
  assertEquals(testRuns(["tests/a"], "conv"), [[...test, "--filter", "conv", "tests/a"]]);
});
