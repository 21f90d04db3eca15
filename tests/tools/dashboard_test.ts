import { join } from "node:path";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { errorLines, ROOT, runScript } from "../support/runs.ts";
import { WrittenRun } from "./dashboard/written_run.ts";

/** Starts the command and gives its first lines; ends it by a signal as Ctrl-C does. */
async function withDashboard(
  args: readonly string[],
  body: (line: string, url: string) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}tools/dashboard.ts`, ...args],
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/Dashboard .*\n/.test(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  try {
    await body(text, /http:\S+/.exec(text)?.[0] ?? "");
  } finally {
    child.kill("SIGINT");
    await reader.cancel();
    const { code } = await child.status;
    assertEquals(code, 0, "Ctrl-C ends it well");
  }
}

Deno.test({
  name: "dashboard serves this machine, says where, and ends by Ctrl-C while a page listens",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      await WrittenRun.create(join(folder, "a"));
      await withDashboard([folder, "--port", "0"], async (line, url) => {
        assertMatch(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
        assertStringIncludes(line, `1 run in ${folder}`);
        const page = await fetch(url);
        assertStringIncludes(await page.text(), "<title>Diffract</title>");
        const events = await fetch(`${url}events`);
        const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
        assertStringIncludes((await reader.read()).value ?? "", '"name":"a"');
        // Left open: the server must end all the same.
        const port = new URL(url).port;
        const second = await runScript("tools/dashboard.ts", [folder, "--port", port]);
        assertEquals(second.code, 1);
        const [error = ""] = errorLines(second);
        assertStringIncludes(error, `Cannot serve the page: port ${port} must be free`);
        assertStringIncludes(error, "--port");
        await reader.cancel();
      });
    }),
});

Deno.test("dashboard takes the next free port where none is named, and says so", () =>
  inFolder(async (folder) => {
    await withDashboard([folder], async (first, url) => {
      await withDashboard([folder], (second, other) => {
        assertEquals(url === other, false);
        assertStringIncludes(second, `is taken, so the page is on ${new URL(other).port}`);
        return Promise.resolve();
      });
      assertStringIncludes(first, "no runs yet");
    });
  }));

Deno.test("dashboard refuses wrong use in one line", async () => {
  for (
    const [args, part] of [
      [["--port", "x"], "must be a whole number from 0 to 65535"],
      [["--port", "65536"], "65536"],
      [["--prot", "1"], "--port"],
    ] as const
  ) {
    const result = await runScript("tools/dashboard.ts", args);
    const lines = errorLines(result);
    assertEquals([result.code, lines.length], [2, 1], lines.join("\n"));
    assertStringIncludes(lines[0]!, part);
  }
  const elsewhere = await runScript("tools/dashboard.ts", ["--host", "203.0.113.7", "--port", "0"]);
  assertEquals(elsewhere.code, 1);
  assertStringIncludes(errorLines(elsewhere)[0]!, "--host must be an address of this machine");
});
