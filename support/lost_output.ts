/**
 * Output to a terminal or pipe that has gone away: a closed window, a lost ssh connection, a `tee`
 * that was stopped. Deno throws an error then, from the very line that prints.
 *
 * @module
 */
import process from "node:process";

const METHODS = ["log", "info", "warn", "error"] as const;

/**
 * Drops what is printed once nobody can read it, until the returned function is called. For programs
 * whose results are files, which should not be lost with their terminal.
 */
export function dropLostOutput(): () => void {
  const originals = METHODS.map((name) => console[name]);
  METHODS.forEach((name, i) => {
    console[name] = (...values: unknown[]) => {
      try {
        originals[i]!.apply(console, values);
      } catch (error) {
        rethrowUnlessLost(error);
      }
    };
  });
  const streams = [process.stdout, process.stderr];
  for (const stream of streams) stream.on("error", rethrowUnlessLost);
  return () => {
    METHODS.forEach((name, i) => console[name] = originals[i]!);
    for (const stream of streams) stream.off("error", rethrowUnlessLost);
  };
}

function rethrowUnlessLost(error: unknown): void {
  const { code, message = "" } = error as { code?: string; message?: string };
  if (code === "EIO" || code === "EPIPE" || /\(os error (5|32)\)/.test(message)) return;
  throw error;
}
