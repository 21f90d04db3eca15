/**
 * A turn of the event loop, in a web page too.
 *
 * @module
 */

const { setImmediate } = globalThis as { setImmediate?: (done: () => void) => void };

/**
 * Lets whatever waits for a turn have it: handlers of signals, news of a failed device, a page's own
 * drawing. Takes microseconds; a timer would take milliseconds.
 */
export function pause(): Promise<void> {
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
