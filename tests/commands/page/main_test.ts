import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { errorLines, runScript } from "../../support/runs.ts";

Deno.test("page refuses places without checkpoints in one line, before it writes anything", async () => {
  const result = await runScript("commands/page/main.ts", ["no-such-run", "--out", "/dev/null/x"]);
  assertEquals(result.code, 2);
  const [line = "", ...more] = errorLines(result);
  assertEquals(more, []);
  assertStringIncludes(line, "Cannot read a checkpoint from no-such-run: there is no such file");
});
