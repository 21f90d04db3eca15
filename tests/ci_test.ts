/**
 * .ci/run as a black box: a stand-in for denow prints what Deno would.
 *
 * @module
 */
import { join } from "node:path";
import { assertEquals } from "./support/assert.ts";
import { program, repository, unix, withSandbox } from "./support/sandbox.ts";

for (
  const { name, output, status, line, code } of [
    {
      name: "adds up Deno's counts",
      output: "ok | 3 passed (1 step) | 0 failed (1s)\n\nFAILED | 12 passed | 2 failed | 1 ignored",
      status: 1,
      line: "15 passed, 2 failed",
      code: 1,
    },
    {
      name: "passes when all tests pass",
      output: "ok | 7 passed | 0 failed (12ms)\n",
      status: 0,
      line: "7 passed, 0 failed",
      code: 0,
    },
    {
      name: "counts a run that died without a summary as one failure",
      output: "Segmentation fault",
      status: 139,
      line: "0 passed, 1 failed",
      code: 139,
    },
    {
      name: "fails when the run ended well but tested nothing",
      output: "",
      status: 0,
      line: "0 passed, 1 failed",
      code: 1,
    },
    {
      name: "counts a failure outside any test",
      output: "FAILED | 4 passed | 0 failed (1 error)",
      status: 1,
      line: "4 passed, 1 failed",
      code: 1,
    },
  ]
) {
  Deno.test(`.ci/run ${name}`, { ignore: !unix }, async () => {
    await withSandbox(async ({ folder, bin }) => {
      Deno.mkdirSync(join(folder, ".ci"));
      Deno.copyFileSync(join(repository, ".ci/run"), join(folder, ".ci/run"));
      Deno.writeTextFileSync(join(folder, "printed"), output);
      program(
        join(folder, "denow"),
        `#!/bin/sh\n[ "$*" = "task test" ] || exit 77\ncat printed\nexit ${status}\n`,
      );
      const result = await new Deno.Command(join(folder, ".ci/run"), {
        clearEnv: true,
        env: { PATH: bin },
        cwd: bin,
      }).output();
      const lines = new TextDecoder().decode(result.stdout).trimEnd().split("\n");
      assertEquals(lines.at(-1), line);
      assertEquals(result.code, code);
    });
  });
}
