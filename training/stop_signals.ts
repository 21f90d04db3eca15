/**
 * Ctrl-C and SIGTERM as a wish: the first asks the run to finish its step and save, a second one
 * ends the process at once.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Exit code after a second signal, as shells give it to a process that was interrupted. */
const INTERRUPTED = 130;

/** Signals that this system can deliver. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/**
 * Watches for signals until the returned function is called. Handlers run only between macrotasks,
 * so the program must yield, see {@linkcode pauseForSignals}.
 *
 * @param stop Aborted by the first signal.
 * @param onFirst Called at the first signal, to tell the person.
 */
export function watchStopSignals(stop: AbortController, onFirst: () => void): () => void {
  const handle = () => {
    if (stop.signal.aborted) Deno.exit(INTERRUPTED);
    stop.abort();
    onFirst();
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, handle);
  return () => {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, handle);
  };
}

/** Lets a handler of a signal run, which happens only between macrotasks. Takes microseconds. */
export function pauseForSignals(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
