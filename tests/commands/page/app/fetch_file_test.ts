import { fetchFile } from "../../../../commands/page/app/fetch_file.ts";
import { writeSiteFile } from "../../../../commands/page/site_file.ts";
import { assertEquals, assertRejects } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { join } from "node:path";

const CONTENT = Uint8Array.from({ length: (2 << 20) + 77 }, (_, i) => (i * i) >>> 3);

type Answer = (range: readonly [number, number], content: Uint8Array<ArrayBuffer>) => Response;

/** Fetches a file of three pieces from a server that answers so; what it asked for besides. */
function served(answer: Answer) {
  const asked: string[] = [], progress: number[] = [];
  return inFolder(async (folder) => {
    const file = await writeSiteFile(folder, "weights", [
      CONTENT.subarray(0, 5),
      CONTENT.subarray(5),
    ]);
    assertEquals([file.bytes, file.pieces.length], [CONTENT.length, 3]);
    const content = await Deno.readFile(join(folder, "weights"));
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const range = request.headers.get("range")!;
      asked.push(range);
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range)!;
      return answer([Number(start), Number(end) + 1], content);
    });
    try {
      const base = `http://127.0.0.1:${server.addr.port}/`;
      const bytes = await fetchFile(file, base, (at) => progress.push(at));
      assertEquals(bytes, CONTENT);
    } finally {
      await server.shutdown();
    }
  }).then(() => ({ asked, progress }));
}

const part: Answer = ([start, end], content) =>
  new Response(content.subarray(start, end), { status: 206 });

Deno.test("fetchFile() asks for ranges, and again for those that arrive damaged or cut off", async () => {
  let requests = 0;
  const { asked, progress } = await served((range, content) => {
    const [start, end] = range;
    switch (requests++) {
      case 1:
        return new Response(content.slice(start, end).fill(7, 0, 1), { status: 206 });
      case 2:
        return new Response(content.subarray(start, end - 9), { status: 206 });
      default:
        return part(range, content);
    }
  });
  const [first, second, third] = [
    "bytes=0-1048575",
    "bytes=1048576-2097151",
    "bytes=2097152-2097228",
  ];
  assertEquals(asked, [first, second, second, second, third]);
  assertEquals(progress.at(-1), CONTENT.length);
});

Deno.test("fetchFile() takes the whole file from a server that knows no ranges", async () => {
  const { asked } = await served((_, content) => new Response(content));
  assertEquals(asked.length, 1);
});

Deno.test("fetchFile() gives up on a piece that never comes, and says which and why", async () => {
  await assertRejects(
    () =>
      served((range, content) =>
        range[0] > 0 ? new Response("", { status: 503 }) : part(range, content)
      ),
    Error,
    "Cannot fetch weights, bytes 1048576 to 2097151: the server must send it, it answers 503",
  );
  await assertRejects(
    () => served((range, content) => part([range[0] + 1, range[1] + 1], content)),
    Error,
    "Cannot fetch weights, bytes 0 to 1048575: its checksum must be that of the page, it is another",
  );
});
