/**
 * What a terminal shows: progress with an estimate of the time left, tables and colour. Where the
 * output is no terminal, plain lines; where NO_COLOR is set, no colour.
 *
 * @module
 */
// @ts-types="./cli_progress.d.ts"
import cliProgress from "cli-progress";
import CliTable from "cli-table3";
import process from "node:process";
import { styleText } from "node:util";

/** What is written to: a part of node's tty stream. */
export interface TerminalStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/** A progress display. Nothing is shown after `stop`. */
export interface Progress {
  /**
   * `done` steps of the total are done; `note` is shown after the counts. On a terminal the bar is
   * redrawn at most 10 times a second; elsewhere each call writes one line, so call it as often as
   * lines are wanted.
   */
  update(done: number, note?: string): void;
  /** Prints a line above the display. */
  print(line: string): void;
  /** Leaves the last state on the screen. */
  stop(): void;
}

/** What a progress display is about. */
export interface ProgressOptions {
  /** A word before the counts, such as "train". */
  label: string;
  total: number;
  /** Where it begins (steps done by an earlier run). 0 by default. */
  start?: number;
  /** Standard error by default. */
  stream?: TerminalStream;
  /** Milliseconds; for tests. */
  now?: () => number;
}

/** A number of things: "1 image", "2 images". */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** "45s", "3m05s", "2h07m"; "?" for what is not a duration. `seconds` in s. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "?";
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor(whole / 60) % 60)}m`;
}

/** Starts a progress display: a bar on a terminal, plain lines elsewhere. */
export function startProgress(options: ProgressOptions): Progress {
  const stream = options.stream ?? process.stderr;
  const { start = 0, total, now = () => performance.now() } = options;
  const begun = now();
  /** Seconds left at the mean pace so far. */
  const timeLeft = (done: number) => ((now() - begun) / 1000) * (total - done) / (done - start);
  return stream.isTTY
    ? barProgress(options, stream, timeLeft)
    : lineProgress(options, stream, timeLeft);
}

function lineProgress(
  { label, total }: ProgressOptions,
  stream: TerminalStream,
  timeLeft: (done: number) => number,
): Progress {
  const width = String(total).length;
  let active = true;
  return {
    update(done, note = "") {
      if (!active) return;
      const left = done < total ? `eta ${formatDuration(timeLeft(done))}` : "";
      const counts = `${label} ${String(done).padStart(width)}/${total}`;
      stream.write([counts, note, left].filter((part) => part !== "").join("  ") + "\n");
    },
    print: (line) => void stream.write(line + "\n"),
    stop: () => void (active = false),
  };
}

function barProgress(
  { label, total, start = 0 }: ProgressOptions,
  stream: TerminalStream,
  timeLeft: (done: number) => number,
): Progress {
  const bar = new cliProgress.SingleBar({
    format: `${label} {bar} {value}/{total}  {left}{note}`,
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    stream,
    // Signals and the cursor belong to the program.
    gracefulExit: false,
    hideCursor: null,
    fps: 10,
    // A line printed above wipes the bar without its text having changed.
    forceRedraw: true,
  });
  let active = true;
  bar.start(total, start, { note: "", left: "" });
  return {
    update(done, note = "") {
      if (!active) return;
      const left = done < total ? `eta ${formatDuration(timeLeft(done))}` : "";
      bar.update(done, { left, note: left !== "" && note !== "" ? `  ${note}` : note });
    },
    print(line) {
      // Clears the bar's line, which is drawn again below.
      stream.write(`\r\x1b[2K${line}\n`);
      if (active) bar.render();
    },
    stop() {
      if (active) bar.stop();
      active = false;
    },
  };
}

/** A table; numbers are aligned to the right. Every row has `head.length` cells. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  for (const row of rows) {
    if (row.length !== head.length) {
      throw new RangeError(
        `Cannot format a table: every row must have ${head.length} cells, got ${row.length}`,
      );
    }
  }
  const table = new CliTable({
    head: [...head],
    colAligns: head.map((_, column) =>
      rows.length > 0 && rows.every((row) => typeof row[column] === "number") ? "right" : "left"
    ),
    // cli-table3 colours these unless told not to.
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** A style for {@linkcode styled}. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** `text` in a style; as it is where `stream` is no terminal or NO_COLOR is set. */
export function styled(
  style: Style,
  text: string,
  stream: TerminalStream = process.stdout,
): string {
  if (stream.isTTY !== true || Deno.noColor) return text;
  return styleText(style, text, { validateStream: false });
}
