/**
 * A turn of the event loop, in a web page too.
 *
 * @module
 */

const { setImmediate } = globalThis as { setImmediate?: (done: () => void) => void };

/** Turns within which Deno's runtime looks at the system, signals among it (tokio's event interval is 61). */
const TURNS = 64;

/** Milliseconds after which it is to look again. */
const LOOK_EVERY = 50;

let looked = 0;

/**
 * Lets whatever waits for a turn have it: handlers of signals, news of a failed device, a page's own
 * drawing. Takes microseconds; a timer would take milliseconds.
 */
export async function pause(): Promise<void> {
  await turn();
  // With one turn a step a signal would be heard of sixty steps later.
  if (!setImmediate || performance.now() - looked < LOOK_EVERY) return;
  for (let i = 1; i < TURNS; i++) await turn();
  looked = performance.now();
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate) return void setImmediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
