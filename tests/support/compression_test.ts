import { gunzip, gunzipStream } from "../../support/compression.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const text = new TextEncoder().encode("all work and no play ".repeat(100));

Deno.test("gunzip() gives back what was compressed, up to the limit exactly", async () => {
  const packed = await gzip(text);
  assert(packed.length < text.length / 10);
  assertEquals(await gunzip(packed, { maxBytes: text.length }), text);
  assertEquals((await gunzip(await gzip(new Uint8Array(0)), { maxBytes: 0 })).length, 0);
});

Deno.test("gunzip() refuses one byte more than the limit, by name", async () => {
  const packed = await gzip(text);
  await assertRejects(
    () => gunzip(packed, { maxBytes: text.length - 1, name: "a.gz" }),
    RangeError,
    "Cannot decompress a.gz: it must hold at most 2099 bytes, got more",
  );
});

Deno.test("gunzip() refuses what is cut short, damaged, followed by more or no gzip", async () => {
  const packed = await gzip(text);
  const flipped = packed.slice();
  flipped[packed.length - 6]! ^= 1;
  const inputs = {
    cut: packed.slice(0, -5),
    "without its length": packed.slice(0, -4),
    flipped,
    "no gzip": text,
    empty: new Uint8Array(0),
    "followed by more": new Uint8Array([...packed, 0, 1, 2]),
  };
  for (const [name, bytes] of Object.entries(inputs)) {
    await assertRejects(
      () => gunzip(bytes, { maxBytes: 1e6, name }),
      Error,
      `Cannot decompress ${name}: it must be whole gzip data`,
    );
  }
});

Deno.test("gunzipStream() reads no more of the input than the limit needs", async () => {
  const bomb = await gzip(new Uint8Array(64 << 20));
  let pulled = 0;
  let cancelled = false;
  const input = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulled >= bomb.length) return controller.close();
      controller.enqueue(bomb.subarray(pulled, pulled += 1024));
    },
    cancel: () => void (cancelled = true),
  });
  let received = 0;
  await assertRejects(
    async () => {
      for await (const chunk of gunzipStream(input, { maxBytes: 1 << 20 })) {
        received += chunk.length;
      }
    },
    RangeError,
    "at most 1048576 bytes",
  );
  assert(received <= 1 << 20);
  assert(cancelled && pulled < bomb.length / 2, `${pulled} of ${bomb.length} bytes were read`);
});

Deno.test("gunzipStream() passes a failure of the source on as it is", async () => {
  const input = new ReadableStream<Uint8Array>({
    pull: () => Promise.reject(new RangeError("the cable is out")),
  });
  await assertRejects(
    () => Array.fromAsync(gunzipStream(input, { maxBytes: 1 })),
    RangeError,
    "the cable is out",
  );
});
