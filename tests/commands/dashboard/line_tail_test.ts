import { join } from "node:path";
import { LineTail } from "../../../commands/dashboard/line_tail.ts";
import { assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

const append = (path: string, text: string) => Deno.writeTextFile(path, text, { append: true });

async function look(tail: LineTail) {
  const { reset, lines } = await tail.read();
  return { reset, lines };
}

Deno.test("LineTail gives lines once, and waits for the end of one that is half written", () =>
  inFolder(async (folder) => {
    const path = join(folder, "log");
    const tail = new LineTail(path);
    assertEquals((await tail.read()).changed, null);
    await append(path, "one\ntwo\nthr");
    assertEquals(await look(tail), { reset: false, lines: ["one", "two"] });
    assertEquals(await look(tail), { reset: false, lines: [] });
    // The first byte of "ö" alone, then the rest.
    const bytes = new TextEncoder().encode("eö\n");
    await Deno.writeFile(path, bytes.subarray(0, 2), { append: true });
    assertEquals(await look(tail), { reset: false, lines: [] });
    await Deno.writeFile(path, bytes.subarray(2), { append: true });
    assertEquals(await look(tail), { reset: false, lines: ["threö"] });
  }));

Deno.test("LineTail begins anew where a file was cut, replaced or has gone", () =>
  inFolder(async (folder) => {
    const path = join(folder, "log");
    const tail = new LineTail(path);
    await append(path, "one\ntwo\nthree\n");
    await tail.read();
    await Deno.truncate(path, 4);
    assertEquals(await look(tail), { reset: true, lines: ["one"] });
    // Another file under the name, longer than what was read of the one before.
    await Deno.writeTextFile(join(folder, "new"), "uno\ndue\ntre\nquattro\n");
    await Deno.rename(join(folder, "new"), path);
    assertEquals(await look(tail), { reset: true, lines: ["uno", "due", "tre", "quattro"] });
    await Deno.remove(path);
    assertEquals(await look(tail), { reset: true, lines: [] });
    await append(path, "a\n");
    assertEquals(await look(tail), { reset: false, lines: ["a"] });
  }));

Deno.test("LineTail sees that a file was cut and has grown again between two looks", () =>
  inFolder(async (folder) => {
    const path = join(folder, "log");
    const tail = new LineTail(path);
    await append(path, "one\ntwo\n");
    await tail.read();
    // The same file, so that only its content tells.
    const file = await Deno.open(path, { write: true });
    await file.truncate(4);
    file.close();
    await append(path, "TWO\nthree\n");
    assertEquals(await look(tail), { reset: true, lines: ["one", "TWO", "three"] });
  }));

Deno.test("LineTail reads a large file in parts, without losing a line between them", () =>
  inFolder(async (folder) => {
    const path = join(folder, "log");
    const line = "x".repeat(999_983);
    await append(path, `${line}\n`.repeat(20));
    const tail = new LineTail(path);
    let count = 0, looks = 0;
    for (let more = true; more; looks++) {
      const found = await tail.read();
      for (const text of found.lines) assertEquals(text.length, line.length);
      count += found.lines.length;
      more = found.more;
    }
    assertEquals([count, looks], [20, 3]);
  }));
