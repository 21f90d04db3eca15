import { testRuns } from "../../dev/test/main.ts";
import { assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/runs.ts";

Deno.test("testRuns() without files are the layering, all tests and the documents' examples", () => {
  const [layers, all, documents, ...rest] = testRuns([]);
  assertEquals(layers!.at(-1), `${ROOT}dev/layers/main.ts`);
  assertEquals(all, ["test", "-A", "--frozen"]);
  assertEquals(documents!.slice(0, 4), ["test", "-A", "--frozen", "--doc"]);
  for (const path of documents!.slice(5)) assertEquals(Deno.statSync(path).isFile, true, path);
  assertEquals(rest, []);
});

Deno.test("testRuns() of files, or of a name, runs those alone", () => {
  const test = ["test", "-A", "--frozen"];
  assertEquals(testRuns(["tests/a_test.ts", "tests/b"]), [[...test, "tests/a_test.ts", "tests/b"]]);
  assertEquals(testRuns([], "conv"), [[...test, "--filter", "conv"]]);
  assertEquals(testRuns(["tests/a"], "conv"), [[...test, "--filter", "conv", "tests/a"]]);
});
