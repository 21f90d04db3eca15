/**
 * Lines of a run's log, and how many of them cannot be read. Knows no host: the live page takes it as
 * it is.
 *
 * @module
 */

/** A line: an event after so many completed steps. */
export type LogLine = { readonly step: number } & Readonly<Record<string, unknown>>;

/** Lines that are none, as a disk that failed or an editor leaves them. */
export interface UnreadLines {
  readonly count: number;
  /** Number of the first, from 1. */
  readonly first: number;
}

/** A line as it is in the file; null for what is none. */
export function parseLine(text: string): LogLine | null {
  try {
    const value = JSON.parse(text);
    return typeof value?.step === "number" ? value : null;
  } catch {
    return null;
  }
}

/** Takes whole lines one by one and counts those that cannot be read. */
export class LineReader {
  #number = 0;
  #unread: UnreadLines | null = null;

  /** What could not be read so far; null where all could. */
  get unread(): UnreadLines | null {
    return this.#unread;
  }

  /** Takes the next line; null where it is none. An empty one says nothing, and lacks nothing. */
  take(text: string): LogLine | null {
    this.#number++;
    const line = parseLine(text);
    if (!line && text.trim() !== "") {
      const { count, first } = this.#unread ?? { count: 0, first: this.#number };
      this.#unread = { count: count + 1, first };
    }
    return line;
  }
}

/** The lines of a whole log. One that a live or killed run has not ended yet is no damage. */
export function readLog(text: string): { lines: LogLine[]; unread: UnreadLines | null } {
  const reader = new LineReader(), parts = text.split("\n"), last = parseLine(parts.pop() ?? "");
  const lines = parts.flatMap((part) => reader.take(part) ?? []);
  return { lines: last ? [...lines, last] : lines, unread: reader.unread };
}

/** One line for a person, without the file's name in front. */
export function describeUnread({ count, first }: UnreadLines): string {
  return count === 1
    ? `line ${first} cannot be read and is left out`
    : `${count} lines cannot be read and are left out, the first is line ${first}`;
}
