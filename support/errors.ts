/**
 * Wrong use of a command, and how a command ends when something is thrown.
 *
 * @module
 */

/** Wrong use of a command: the process ends with exit code 2 after one line. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** 2 for wrong use, 1 for anything else that was thrown. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof UsageError ? 2 : 1;
}

/**
 * The text to print for what was thrown: `error: ` and the message, on one line for a
 * {@linkcode UsageError}. With `trace`, the stack of any other error, causes included.
 */
export function describeError(error: unknown, trace = false): string {
  if (!(error instanceof Error)) return `error: ${String(error)}`;
  if (error instanceof UsageError) return `error: ${error.message.replace(/\s*\n\s*/g, " ")}`;
  if (trace) {
    const cause = error.cause === undefined
      ? ""
      : `\ncaused by ${describeError(error.cause, true)}`;
    return `error: ${error.stack ?? error.message}${cause}`;
  }
  return `error: ${error.message || error.name}`;
}

/** What is done at the end by an error, in a process that is one of several. */
export interface SharedEnd {
  /** Before the error is printed. */
  before(): void;
  /** After it; ends all processes. */
  after(code: number): void;
}

let sharedEnd: SharedEnd | undefined;

/** Lets an error end other processes too. */
export function endTogether(end: SharedEnd): void {
  sharedEnd = end;
}

/** Prints what was thrown on stderr and ends the process; DIFFRACT_TRACE=1 shows stacks. */
export function reportAndExit(error: unknown): never {
  const trace = Deno.env.get("DIFFRACT_TRACE") === "1";
  sharedEnd?.before();
  console.error(describeError(error, trace));
  sharedEnd?.after(exitCodeOf(error));
  Deno.exit(exitCodeOf(error));
}

/** Ends the process at errors that are thrown where nobody can catch them. */
function reportStrays(): void {
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    reportAndExit(event.reason);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    reportAndExit(event.error);
  });
}

/**
 * Runs a script's main function; its number, if any, is the exit code. Errors of work that nobody
 * waits for end the script as well.
 */
export async function runMain(
  main: () => number | void | Promise<number | void>,
): Promise<void> {
  reportStrays();
  try {
    Deno.exitCode = (await main()) ?? 0;
  } catch (error) {
    reportAndExit(error);
  }
}
