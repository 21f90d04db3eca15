/**
 * Signals that end a process, as what a program wants to hear of.
 *
 * Deno takes over SIGHUP as soon as a program listens to any signal, and sometimes before, even where
 * SIGHUP was ignored from the start, as under nohup. Such a process must live on when its terminal goes away.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Signals that somebody sends on purpose, as far as this system can deliver them. */
const ASKED: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/**
 * Whether SIGHUP was ignored when the process began. Linux tells; elsewhere a process without a
 * terminal is taken for one that was told to stay.
 */
const hangupIgnored = (() => {
  if (Deno.build.os === "windows") return true;
  if (Deno.build.os !== "linux") return !Deno.stdin.isTerminal() && !Deno.stderr.isTerminal();
  try {
    const status = readFileSync("/proc/self/status", "latin1");
    return (BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? 0}`) & 1n) === 1n;
  } catch {
    return false;
  }
})();

/**
 * Keeps SIGHUP ignored where it was ignored from the start, before anything makes Deno take it over:
 * a run under nohup that still reads its data must live on as well.
 */
export function keepHangupIgnored(): void {
  if (hangupIgnored && Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", () => {});
}

/** What to do at a signal. */
export interface EndHandlers {
  /** Ctrl-C, Ctrl-Break or SIGTERM. */
  readonly asked: () => void;
  /** The terminal went away (SIGHUP); it may come more than once. Never called under nohup. */
  readonly hangup: () => void;
}

/** Calls a handler whenever a signal asks the process to end, until the returned function is called. */
export function onEndSignals({ asked, hangup }: EndHandlers): () => void {
  const handlers = new Map<Deno.Signal, () => void>(ASKED.map((signal) => [signal, asked]));
  if (Deno.build.os !== "windows") {
    handlers.set("SIGHUP", hangupIgnored ? () => {} : hangup);
  }
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
  };
}
