import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { download, type RemoteFile, sha256File } from "../../../data/fetching/download.ts";
import { bytesOf } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const CONTENT = bytesOf(300_000, 5);
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

/** What a server does with a request: the bytes from an offset, cut at `end`. */
interface Behaviour {
  ranges?: boolean;
  /** Bytes after which the n-th answer breaks off. */
  cuts?: number[];
  status?: number;
  content?: Uint8Array<ArrayBuffer>;
  /** Never answers the body. */
  hang?: boolean;
}

/** Runs `body` against a server; gives it the file's description and the asked ranges. */
async function serving(
  behaviour: Behaviour,
  body: (file: RemoteFile, asked: (string | null)[]) => Promise<void>,
): Promise<void> {
  const { ranges = true, cuts = [], status, content = CONTENT, hang = false } = behaviour;
  const asked: (string | null)[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const range = request.headers.get("range");
    asked.push(range);
    if (status) return new Response("no", { status });
    const from = ranges && range ? Number(/\d+/.exec(range)![0]) : 0;
    if (from >= content.length) {
      const headers = { "content-range": `bytes */${content.length}` };
      return new Response(null, { status: 416, headers });
    }
    const cut = cuts[asked.length - 1];
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(content.slice(from, cut));
        if (!hang) controller.close();
      },
    });
    return new Response(stream, {
      status: from > 0 ? 206 : 200,
      headers: from > 0
        ? { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }
        : {},
    });
  });
  try {
    const url = `http://127.0.0.1:${server.addr.port}/file`;
    await body({ name: "file", bytes: CONTENT.length, sha256: SHA256, urls: [url] }, asked);
  } finally {
    await server.shutdown();
  }
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

Deno.test("download() brings a file in place with a line for a person", async () => {
  await inFolder((folder) =>
    serving({}, async (file, asked) => {
      const lines: string[] = [];
      await download(file, `${folder}/deep/file`, { say: (line) => lines.push(line) });
      assertEquals(await Deno.readFile(`${folder}/deep/file`), CONTENT);
      assertEquals(await sha256File(`${folder}/deep/file`), SHA256);
      assertEquals(await names(`${folder}/deep`), ["file"]);
      assertEquals(asked, [null]);
      assertEquals(lines, [`Downloading file (0.3 MB) from ${new URL(file.urls[0]!).host}`]);
    })
  );
});

Deno.test("download() goes on where a broken connection stopped", async () => {
  await inFolder((folder) =>
    serving({ cuts: [100_000, 150_000] }, async (file, asked) => {
      await download(file, `${folder}/file`);
      assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
      assertEquals(asked, [null, "bytes=100000-", "bytes=150000-"]);
    })
  );
});

Deno.test("download() goes on where an earlier process stopped", async () => {
  await inFolder((folder) =>
    serving({}, async (file, asked) => {
      await Deno.writeFile(`${folder}/file.part`, CONTENT.subarray(0, 1234));
      await download(file, `${folder}/file`);
      assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
      assertEquals(asked, ["bytes=1234-"]);
    })
  );
});

Deno.test("download() starts anew when the server knows no ranges", async () => {
  await inFolder((folder) =>
    serving({ ranges: false, cuts: [100_000] }, async (file, asked) => {
      await download(file, `${folder}/file`);
      assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
      assertEquals(asked.length, 2);
    })
  );
});

Deno.test("download() starts anew when what an earlier process left is not of this file", async () => {
  for (const left of [new Uint8Array(1000), new Uint8Array(300_000), new Uint8Array(400_000)]) {
    await inFolder((folder) =>
      serving({}, async (file) => {
        await Deno.writeFile(`${folder}/file.part`, left);
        await download(file, `${folder}/file`);
        assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
      })
    );
  }
});

Deno.test("download() refuses a file with another checksum and keeps nothing of it", async () => {
  await inFolder((folder) =>
    serving({ content: CONTENT.map((byte) => byte ^ 1) }, async (file, asked) => {
      await assertRejects(() => download(file, `${folder}/file`), Error, `must be ${SHA256}, got`);
      assertEquals(asked.length, 1);
      assertEquals(await names(folder), []);
    })
  );
});

Deno.test("download() refuses a file that is too long and one that is too short", async () => {
  await inFolder((folder) =>
    serving({ content: bytesOf(300_001, 5) }, async (file) => {
      await assertRejects(() => download(file, `${folder}/file`), Error, "300000 bytes, got more");
    })
  );
  await inFolder((folder) =>
    serving({ content: CONTENT.slice(0, 10) }, async (file, asked) => {
      await assertRejects(
        () => download(file, `${folder}/file`, { attempts: 2 }),
        Error,
        "ended after 10 of 300000 bytes",
      );
      assertEquals(asked.length, 2);
      assertEquals(await names(folder), ["file.part"]);
    })
  );
});

Deno.test("download() does not wait for a server that stays silent", async () => {
  await inFolder((folder) =>
    serving({ hang: true, content: CONTENT.slice(0, 10) }, async (file) => {
      const start = performance.now();
      await assertRejects(
        () => download(file, `${folder}/file`, { attempts: 1, stallTimeout: 200 }),
        Error,
        "no byte came for 0.2 s",
      );
      assert(performance.now() - start < 3000);
    })
  );
});

Deno.test("download() tries the next address and lists every reason", async () => {
  await inFolder((folder) =>
    serving({ status: 404 }, (missing) =>
      serving({}, async (good) => {
        const urls = [...missing.urls, ...good.urls];
        await download({ ...good, urls }, `${folder}/file`);
        assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
        const closed = "http://127.0.0.1:1/file";
        const error = await assertRejects(
          () => download({ ...good, urls: [missing.urls[0]!, closed] }, `${folder}/other`),
          Error,
          "Cannot download file: ",
        );
        assert(error.message.includes("answered 404"), error.message);
        assert(error.message.includes(closed), error.message);
      }))
  );
});

Deno.test("download() waits for another that fetches the same file", async () => {
  await inFolder((folder) =>
    serving({}, async (file, asked) => {
      const both = [download(file, `${folder}/file`), download(file, `${folder}/file`)];
      await Promise.all(both);
      assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
      assertEquals(asked.length, 1);
    })
  );
});

/** A file of which only the MD5 is known. */
function ofUnknownSize({ name, urls }: RemoteFile): RemoteFile {
  return { name, urls, bytes: null, md5: createHash("md5").update(CONTENT).digest("hex") };
}

Deno.test("download() checks a file of unknown size by its MD5, also where it goes on", async () => {
  await inFolder((folder) =>
    serving({}, async (file, asked) => {
      const lines: string[] = [];
      await download(ofUnknownSize(file), `${folder}/a`, { say: (line) => lines.push(line) });
      assertEquals(await Deno.readFile(`${folder}/a`), CONTENT);
      assertEquals(lines, [`Downloading file from ${new URL(file.urls[0]!).host}`]);
      await Deno.writeFile(`${folder}/b.part`, CONTENT.subarray(0, 1000));
      await download(ofUnknownSize(file), `${folder}/b`);
      assertEquals(await Deno.readFile(`${folder}/b`), CONTENT);
      assertEquals(asked, [null, "bytes=1000-"]);
    })
  );
});

Deno.test("download() takes a part that is whole already, when the server says that it is", async () => {
  await inFolder((folder) =>
    serving({}, async (file, asked) => {
      await Deno.writeFile(`${folder}/file.part`, CONTENT);
      await download(ofUnknownSize(file), `${folder}/file`);
      assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
      assertEquals(asked, [`bytes=${CONTENT.length}-`]);
    })
  );
});

Deno.test("download() refuses a file of unknown size with another MD5", async () => {
  await inFolder((folder) =>
    serving({ content: bytesOf(500, 9) }, async (file) => {
      await assertRejects(
        () => download(ofUnknownSize(file), `${folder}/file`),
        Error,
        "the MD5 must be",
      );
      assertEquals(await names(folder), []);
    })
  );
});
