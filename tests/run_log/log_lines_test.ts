import { describeUnread, LineReader, readLog } from "../../run_log/log_lines.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("readLog() counts lines that are none, and names the first", () => {
  const lines = ['{"step":1,"loss":2}', '{"step":2,"lo', "", '{"step":3}', "\0\0", "[]", '{"a":1}'];
  assertEquals(readLog(`${lines.join("\n")}\n`), {
    lines: [{ step: 1, loss: 2 }, { step: 3 }],
    unread: { count: 4, first: 2 },
  });
});

Deno.test("readLog() takes a last line without an end for one that is still written, not for damage", () => {
  assertEquals(readLog('{"step":1}\n{"step":2,"lo'), { lines: [{ step: 1 }], unread: null });
  assertEquals(readLog('{"step":1}\n{"step":2}'), {
    lines: [{ step: 1 }, { step: 2 }],
    unread: null,
  });
  assertEquals(readLog('{"step":1}\n{"step":2,"lo\n').unread, { count: 1, first: 2 });
  assertEquals(readLog(""), { lines: [], unread: null });
});

Deno.test("LineReader goes on counting, and describeUnread() says it in a line", () => {
  const reader = new LineReader();
  assertEquals([reader.take('{"step":1}'), reader.unread], [{ step: 1 }, null]);
  assertEquals([reader.take("x"), reader.unread], [null, { count: 1, first: 2 }]);
  assertEquals(describeUnread(reader.unread!), "line 2 cannot be read and is left out");
  for (const text of ['{"step":3}', "y"]) reader.take(text);
  assertEquals(
    describeUnread(reader.unread!),
    "2 lines cannot be read and are left out, the first is line 2",
  );
});
