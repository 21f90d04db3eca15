import { join } from "node:path";
import { linesUpTo, Log } from "../../training/log.ts";
import { assertEquals } from "../support/assert.ts";

const line = (step: number) => `{"step":${step},"loss":1}\n`;

Deno.test("linesUpTo() keeps the lines of a step and before", () => {
  const text = line(1) + line(2) + line(2) + line(3);
  assertEquals(linesUpTo(text, 2), line(1) + line(2) + line(2));
  assertEquals(linesUpTo(text, 0), "");
  assertEquals(linesUpTo(text, 9), text);
});

Deno.test("linesUpTo() cuts a torn last line and whatever follows a line that is no event", () => {
  assertEquals(linesUpTo(line(1) + '{"step":2,"lo', 9), line(1));
  assertEquals(linesUpTo(line(1) + '{"step":2}', 9), line(1));
  assertEquals(linesUpTo(line(1) + "null\n" + line(2), 9), line(1));
  assertEquals(linesUpTo(line(1) + "[]\n" + line(2), 9), line(1));
});

Deno.test("Log.open() goes on after a step and Log.write() writes at once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "log.jsonl");
    const first = await Log.open(path, 0);
    for (const step of [1, 2, 3]) first.write({ step, loss: 1 });
    assertEquals(await Deno.readTextFile(path), line(1) + line(2) + line(3));
    first.close();
    const second = await Log.open(path, 2);
    second.write({ step: 3, event: "sample", file: "samples/a.png" });
    second.close();
    assertEquals(
      await Deno.readTextFile(path),
      `${line(1)}${line(2)}{"step":3,"event":"sample","file":"samples/a.png"}\n`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
