import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import {
  counted,
  formatDuration,
  formatTable,
  startProgress,
  styled,
} from "../../support/terminal.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "./assert.ts";

function memoryStream(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 100, written, write: (text: string) => written.push(text) };
}

Deno.test("formatDuration() uses the two largest units", () => {
  assertEquals(
    [0, 59.4, 59.6, 185, 3600, 7620, 360000].map(formatDuration),
    ["0s", "59s", "1m00s", "3m05s", "1h00m", "2h07m", "100h00m"],
  );
  assertEquals([NaN, Infinity, -1].map(formatDuration), ["?", "?", "?"]);
});

Deno.test("startProgress() writes one plain line an update where there is no terminal", () => {
  const stream = memoryStream(false);
  let time = 0;
  const progress = startProgress({
    label: "train",
    total: 200,
    start: 100,
    stream,
    now: () => time,
  });
  progress.update(100);
  time = 10_000;
  progress.update(120, "loss 0.5");
  progress.print("saved");
  progress.update(200, "loss 0.4");
  progress.stop();
  progress.update(200, "never shown");
  assertEquals(stream.written, [
    "train 100/200  eta ?\n",
    "train 120/200  loss 0.5  eta 40s\n",
    "saved\n",
    "train 200/200  loss 0.4\n",
  ]);
});

Deno.test("startProgress() draws a bar on a terminal and lets lines pass above it", () => {
  const stream = memoryStream(true);
  const progress = startProgress({ label: "train", total: 4, stream });
  progress.update(2, "loss 0.5");
  progress.print("saved");
  progress.update(4, "loss 0.25");
  progress.stop();
  progress.stop();
  const raw = stream.written.join("");
  assertStringIncludes(raw, "\r\x1b[2Ksaved\n");
  const text = stripVTControlCharacters(raw);
  assertStringIncludes(text, "░ 0/4");
  assertStringIncludes(text, "█░");
  assertStringIncludes(text.slice(text.indexOf("saved")), "2/4  eta 0s  loss 0.5");
  assertStringIncludes(text, "█ 4/4  loss 0.25");
  assert(!raw.includes("\x1b[?25l"), "the cursor stays visible");
});

Deno.test("formatTable() aligns numbers to the right and uses no colour", () => {
  const table = formatTable(["op", "ms"], [["conv2d", 1.5], ["silu", 10]]);
  assert(!table.includes("\x1b"));
  const rows = table.split("\n").filter((line) => line.includes("conv2d") || line.includes("silu"));
  assertEquals(rows, ["│ conv2d │ 1.5 │", "│ silu   │  10 │"]);
  assertStringIncludes(formatTable(["empty"], []), "empty");
});

Deno.test("formatTable() refuses rows of another length than the head", () => {
  assertThrows(() => formatTable(["a", "b"], [["x"]]), RangeError, "must have 2 cells, got 1");
});

Deno.test("styled() colours for a terminal only, and not under NO_COLOR", async () => {
  assertEquals(styled("red", "x", memoryStream(false)), "x");
  const module = new URL("../../support/terminal.ts", import.meta.url).href;
  const program = `import { styled } from ${JSON.stringify(module)};
    const shown = [true, false].map((isTTY) => styled("red", "x", { isTTY, write: () => {} }));
    console.log(JSON.stringify(shown));`;
  const { NO_COLOR: _, ...env } = Deno.env.toObject();
  const shown = async (extra: Record<string, string>) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      clearEnv: true,
      env: { ...env, ...extra },
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  };
  assertEquals(await shown({}), ["\x1b[31mx\x1b[39m", "x"]);
  assertEquals(await shown({ NO_COLOR: "1" }), ["x", "x"]);
});

Deno.test("counted() says one image, and several images", () => {
  assertEquals([0, 1, 2].map((n) => counted(n, "image")), ["0 images", "1 image", "2 images"]);
});
