/**
 * Ctrl-C, SIGTERM and a terminal that goes away (a closed window, a lost ssh connection) as a wish:
 * the first asks the run to finish its step and save, a second Ctrl-C or SIGTERM ends the process at
 * once.
 *
 * @module
 */
import { dropLostOutput } from "../support/lost_output.ts";
import { onEndSignals } from "../support/signals.ts";

/** Exit code after a second signal, as shells give it to a process that was interrupted. */
const INTERRUPTED = 130;

/**
 * Watches for signals until the returned function is called. Handlers run only between macrotasks,
 * so the program must yield, see {@linkcode pauseForSignals}.
 *
 * @param stop Aborted by the first signal.
 * @param onFirst Called at the first signal, to tell the person.
 */
export function watchStopSignals(stop: AbortController, onFirst: () => void): () => void {
  const hangup = () => {
    if (stop.signal.aborted) return;
    stop.abort();
    onFirst();
  };
  const asked = () => {
    if (stop.signal.aborted) Deno.exit(INTERRUPTED);
    hangup();
  };
  const unwatch = onEndSignals({ asked, hangup });
  const restore = dropLostOutput();
  return () => {
    unwatch();
    // What is printed at the end of a run may still find no terminal.
    if (!stop.signal.aborted) restore();
  };
}

/** Lets a handler of a signal run, which happens only between macrotasks. Takes microseconds. */
export { pause as pauseForSignals } from "../support/pause.ts";
