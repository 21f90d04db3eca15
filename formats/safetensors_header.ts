/**
 * The JSON header of a safetensors file, entry by entry. JSON.parse of a whole hostile header takes
 * forty times its bytes and seconds; this stops at the first entry that cannot be one.
 *
 * @module
 */

/** An entry that describes a tensor is shorter than this, in characters. */
const LONGEST_TENSOR = 8 << 10;
/** The strings of `__metadata__` together are shorter than this. */
const LONGEST_METADATA = 4 << 20;
const LONGEST_NAME = 64 << 10;

/** The entry of free text. */
export const METADATA = "__metadata__";

/**
 * The entries of a header in their order. A value is parsed only when its turn comes.
 *
 * @throws {SyntaxError} A rule that the header breaks, as "must ...".
 */
export function* headerEntries(bytes: Uint8Array): Generator<[name: string, value: unknown]> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new SyntaxError("must be JSON in UTF-8");
  }
  const reader = new Reader(text);
  if (reader.next() !== "{") {
    // What is JSON at all, but no object, is told from what is none.
    throw new SyntaxError(/^\s*[[\d"tfn-]/.test(text) ? "must be a JSON object" : NO_JSON);
  }
  const seen = new Set<string>();
  reader.skip();
  if (reader.next() === "}") reader.skip();
  else {
    do {
      const name = reader.name();
      if (seen.has(name)) throw new SyntaxError(`must have ${JSON.stringify(name)} once`);
      seen.add(name);
      yield [name, reader.value(name === METADATA ? LONGEST_METADATA : LONGEST_TENSOR)];
    } while (reader.separator());
  }
  if (reader.next() !== "") throw new SyntaxError(NO_JSON);
}

const NO_JSON = "must be JSON in UTF-8";

class Reader {
  #at = 0;

  constructor(private readonly text: string) {}

  /** The next character that is no white space; empty at the end. */
  next(): string {
    while (" \t\r\n".includes(this.text.charAt(this.#at)) && this.#at < this.text.length) {
      this.#at++;
    }
    return this.text.charAt(this.#at);
  }

  skip(): void {
    this.#at++;
  }

  /** A key and its colon. */
  name(): string {
    if (this.next() !== '"') throw new SyntaxError(NO_JSON);
    const name = this.#parse(this.#stringEnd(this.#at, LONGEST_NAME));
    if (this.next() !== ":") throw new SyntaxError(NO_JSON);
    this.skip();
    return name as string;
  }

  /** A value of at most so many characters. */
  value(longest: number): unknown {
    const first = this.next();
    if (first === "{" || first === "[") return this.#parse(this.#containerEnd(longest));
    if (first === '"') return this.#parse(this.#stringEnd(this.#at, longest));
    const word = /[-+.\w]{1,40}/y;
    word.lastIndex = this.#at;
    return this.#parse(word.test(this.text) ? word.lastIndex : this.#at);
  }

  /** Whether another entry follows; else the closing brace was there. */
  separator(): boolean {
    const mark = this.next();
    if (mark !== "," && mark !== "}") throw new SyntaxError(NO_JSON);
    this.skip();
    return mark === ",";
  }

  #parse(end: number): unknown {
    try {
      return JSON.parse(this.text.slice(this.#at, end));
    } catch {
      throw new SyntaxError(NO_JSON);
    } finally {
      this.#at = end;
    }
  }

  /** The place after the string that begins at `at`. */
  #stringEnd(at: number, longest: number): number {
    const limit = Math.min(this.text.length, at + longest);
    for (let i = at + 1; i < limit; i++) {
      const code = this.text.charCodeAt(i);
      if (code === QUOTE) return i + 1;
      if (code === BACKSLASH) i++;
    }
    throw new SyntaxError(`must be JSON in UTF-8, with strings of at most ${longest} characters`);
  }

  /** The place after the object or list that begins here. */
  #containerEnd(longest: number): number {
    const limit = Math.min(this.text.length, this.#at + longest);
    let depth = 0;
    for (let i = this.#at; i < limit; i++) {
      const code = this.text.charCodeAt(i);
      if (code === QUOTE) i = this.#stringEnd(i, limit - i) - 1;
      else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
        if (--depth === 0) return i + 1;
      }
    }
    throw new SyntaxError(`must be JSON in UTF-8, with entries of at most ${longest} characters`);
  }
}

const QUOTE = 34, BACKSLASH = 92;
const OPEN_BRACE = 123, CLOSE_BRACE = 125, OPEN_BRACKET = 91, CLOSE_BRACKET = 93;
