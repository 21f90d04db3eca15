import { fileURLToPath } from "node:url";
import { describeError, exitCodeOf, UsageError } from "../../support/errors.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";

Deno.test("exitCodeOf() is 2 for wrong use and 1 for the rest", () => {
  assertEquals(exitCodeOf(new UsageError("x")), 2);
  assertEquals(exitCodeOf(new RangeError("x")), 1);
  assertEquals(exitCodeOf("x"), 1);
});

Deno.test("describeError() gives the message, and wrong use on one line", () => {
  assertEquals(describeError(new Error("Cannot do it")), "error: Cannot do it");
  assertEquals(describeError(new UsageError("a\n  b"), true), "error: a b");
  assertEquals(describeError(new RangeError()), "error: RangeError");
  assertEquals(describeError(7), "error: 7");
});

Deno.test("describeError() with a trace shows the stack and the causes", () => {
  const text = describeError(new Error("outer", { cause: new TypeError("inner") }), true);
  assertMatch(text, /^error: Error: outer\n {4}at [^]*caused by error: TypeError: inner\n {4}at /);
});

/** Runs a module's text that can use `runMain` and `UsageError`. */
async function runScript(body: string, env: Record<string, string> = {}) {
  const errors = fileURLToPath(new URL("../../support/errors.ts", import.meta.url));
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const head = `import { runMain, UsageError } from ${JSON.stringify("file://" + errors)};\n`;
    await Deno.writeTextFile(file, head + body);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", file],
      env: { NO_COLOR: "1", DIFFRACT_TRACE: "", ...env },
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("runMain() ends with the main function's number", async () => {
  const { code, stdout, stderr } = await runScript(
    `void UsageError; await runMain(() => 3); console.log("after");`,
  );
  assertEquals({ code, stdout, stderr }, { code: 3, stdout: "after\n", stderr: "" });
});

Deno.test("runMain() prints one line and ends with 2 on wrong use", async () => {
  const { code, stderr } = await runScript(
    `await runMain(() => Promise.reject(new UsageError("Cannot run")));`,
  );
  assertEquals({ code, stderr }, { code: 2, stderr: "error: Cannot run\n" });
});

Deno.test("runMain() ends with 1 on other errors, with a stack only when asked", async () => {
  const body = `void UsageError; await runMain(() => { throw new Error("Cannot train"); });`;
  const { code, stderr } = await runScript(body);
  assertEquals({ code, stderr }, { code: 1, stderr: "error: Cannot train\n" });
  const traced = await runScript(body, { DIFFRACT_TRACE: "1" });
  assert(traced.code === 1 && /\n\s+at /.test(traced.stderr), traced.stderr);
});

Deno.test("runMain() ends with one line and 1 at errors that nobody waits for", async () => {
  const strays = {
    "a rejection": `Promise.reject(new Error("Cannot load"));`,
    "a throw in a timer": `setTimeout(() => { throw new Error("Cannot load"); });`,
    "a throw in a microtask": `queueMicrotask(() => { throw new Error("Cannot load"); });`,
  };
  for (const [what, stray] of Object.entries(strays)) {
    const { code, stdout, stderr } = await runScript(
      `void UsageError; await runMain(async () => {
        ${stray}
        await new Promise((resolve) => setTimeout(resolve, 2000));
        console.log("went on");
      });`,
    );
    assertEquals({ code, stdout, stderr }, {
      code: 1,
      stdout: "",
      stderr: "error: Cannot load\n",
    }, what);
  }
});
