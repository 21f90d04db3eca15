/**
 * Pictures decoded in several threads, a bounded number at a time.
 *
 * @module
 */
import type { PictureShape } from "./pictures.ts";

/** Threads at most; more of them wait for the one that reads. */
const MOST_THREADS = 16;
/** Pictures that a thread has before it: the next one is there when it is done with one. */
const AHEAD = 4;

/** A picture's bytes, or why there are none, and its place. */
export interface EncodedPicture {
  readonly at: number;
  readonly bytes: Uint8Array | null;
  readonly why?: string;
}

/** What a thread gets. */
export interface DecodeRequest {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly shape: PictureShape;
}

/** An image `[height, width, channels]`, or why there is none, and its place. */
export interface DecodeReply {
  readonly at: number;
  readonly image?: Uint8Array<ArrayBuffer>;
  readonly why?: string;
}

/**
 * Decodes pictures and brings them to a shape; they come as they are done. Memory holds a few pictures
 * a thread, however many there are.
 *
 * @param threads As many as the machine has cores, {@linkcode MOST_THREADS} at most, unless given.
 */
export async function* decodeInThreads(
  pictures: AsyncIterable<EncodedPicture>,
  shape: PictureShape,
  threads = Math.min(navigator.hardwareConcurrency, MOST_THREADS),
): AsyncGenerator<DecodeReply> {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL("./decode_worker.ts", import.meta.url), { type: "module" }),
  );
  const done: DecodeReply[] = [], room = [...workers.keys()].flatMap((i) => Array(AHEAD).fill(i));
  let failure: Error | undefined, wake = () => {};
  for (const [i, worker] of workers.entries()) {
    worker.onmessage = ({ data }: MessageEvent<DecodeReply>) => {
      done.push(data);
      room.push(i);
      wake();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      failure = new Error(`Cannot decode pictures in a thread: ${event.message}`);
      wake();
    };
  }
  const settled = async () => {
    if (done.length === 0 && !failure) await new Promise<void>((resolve) => wake = resolve);
    if (failure) throw failure;
  };
  try {
    for await (const { at, bytes, why = "" } of pictures) {
      if (!bytes) {
        yield { at, why };
        continue;
      }
      while (room.length === 0 || done.length > 0) {
        await settled();
        yield* done.splice(0);
      }
      workers[room.shift()!]!.postMessage({ at, bytes, shape } satisfies DecodeRequest);
    }
    while (room.length < threads * AHEAD || done.length > 0) {
      await settled();
      yield* done.splice(0);
    }
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
