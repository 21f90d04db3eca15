import { join } from "node:path";
import { assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, ROOT, runScript } from "../../support/runs.ts";
import { WrittenRun } from "./written_run.ts";

/** Starts the command and gives its first lines; ends it by a signal as Ctrl-C does. */
async function withDashboard(
  args: readonly string[],
  body: (line: string, url: string) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--config",
      `${ROOT}deno.json`,
      `${ROOT}commands/dashboard/main.ts`,
      ...args,
    ],
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
        const second = await runScript("commands/dashboard/main.ts", [folder, "--port", port]);
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
      [["--port", "x"], '--port must be an integer from 0 to 65535, got "x"'],
      [["--port", "65536"], "65536"],
      [["--prot", "1"], "--port"],
    ] as const
  ) {
    const result = await runScript("commands/dashboard/main.ts", args);
    const lines = errorLines(result);
    assertEquals([result.code, lines.length], [2, 1], lines.join("\n"));
    assertStringIncludes(lines[0]!, part);
  }
});

Deno.test("dashboard names --host and what it was given, where that is no address of this machine", async () => {
  // Of another machine, not found by the resolver, and no name at all.
  for (const host of ["203.0.113.7", "999.1.1.1", "a b"]) {
    const result = await runScript("commands/dashboard/main.ts", ["--host", host, "--port", "0"]);
    assertEquals([result.code, errorLines(result)], [2, [
      `error: Cannot serve the page: --host must be an address of this machine, got "${host}"`,
    ]]);
  }
});

Deno.test("dashboard refuses a file, which never can have runs in it, and waits for a folder", () =>
  inFolder(async (folder) => {
    const file = join(folder, "log.jsonl");
    await Deno.writeTextFile(file, "");
    // Whoever took the file would end at the host, and not serve for ever.
    const result = await runScript("commands/dashboard/main.ts", [file, "--host", "203.0.113.7"]);
    assertEquals([result.code, result.out, errorLines(result)], [2, "", [
      `error: Cannot show ${file}: it must be the folder of a run, or have runs in it, it is a file`,
    ]]);
    await withDashboard([join(folder, "later"), "--port", "0"], (line) => {
      assertStringIncludes(line, "no runs yet");
      return Promise.resolve();
    });
  }));

Deno.test({
  name: "dashboard says that a folder is not there, and waits for it",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "nowhere");
      await withDashboard([path, "--port", "0"], (line) => {
        assertStringIncludes(line, `note: there is no folder ${path} yet`);
        assertStringIncludes(line, `--run.dir=${join(path, "NAME")}`);
        return Promise.resolve();
      });
    }),
});
