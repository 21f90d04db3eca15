/**
 * JSON text to a value, as JSON.parse, with errors that name the line and column, and with
 * repeated keys refused instead of the last one winning.
 *
 * @module
 */

/** Deeper nesting is refused, so that a hostile file can't exhaust the stack. */
const DEEPEST = 64;

/**
 * The value that `text` holds.
 *
 * @param source what errors call the text, such as its path
 * @throws {SyntaxError} with line and column, if the text is not JSON or repeats a key
 */
export function parseJson(text: string, source: string): unknown {
  const reader = new Reader(text, source);
  const value = reader.value(0);
  if (reader.peek() !== "") reader.fail("the end of the text");
  return value;
}

class Reader {
  #position = 0;

  constructor(readonly text: string, readonly source: string) {}

  /** The next character after white space, not consumed; empty at the end. */
  peek(): string {
    this.#match(/[ \t\r\n]*/y);
    return this.text.charAt(this.#position);
  }

  value(depth: number): unknown {
    if (depth > DEEPEST) this.fail(`at most ${DEEPEST} levels of nesting`);
    const next = this.peek();
    if (next === "{") return this.#object(depth);
    if (next === "[") return this.#array(depth);
    if (next === '"') return this.#string();
    const word = this.#match(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (word === null) this.fail("a value");
    return JSON.parse(word);
  }

  /** Throws that `expected` is missing at `position`, by default the next character. */
  fail(expected: string, position = this.#position): never {
    const before = this.text.slice(0, position).split("\n");
    const found = Array.from(this.text.slice(position, position + 2))[0];
    throw new SyntaxError(
      `Cannot read ${this.source}: line ${before.length}, column ${before.at(-1)!.length + 1} ` +
        `must hold ${expected}, got ${found === undefined ? "nothing" : JSON.stringify(found)}`,
    );
  }

  #object(depth: number): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    this.#position++;
    if (this.#take("}")) return {};
    do {
      if (this.peek() !== '"') this.fail("a key in double quotes");
      const start = this.#position;
      const key = this.#string();
      if (entries.has(key)) this.fail(`a key other than "${key}", which is already there`, start);
      if (!this.#take(":")) this.fail('":" after a key');
      entries.set(key, this.value(depth + 1));
    } while (this.#take(","));
    if (!this.#take("}")) this.fail('"," or "}"');
    return Object.fromEntries(entries);
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#position++;
    if (this.#take("]")) return items;
    do items.push(this.value(depth + 1)); while (this.#take(","));
    if (!this.#take("]")) this.fail('"," or "]"');
    return items;
  }

  #string(): string {
    // From the space on, all but the quote and the backslash.
    const literal = this.#match(/"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    if (literal === null) this.fail("a string that is closed on its line, with valid escapes");
    return JSON.parse(literal);
  }

  #take(character: string): boolean {
    const found = this.peek() === character;
    if (found) this.#position++;
    return found;
  }

  #match(sticky: RegExp): string | null {
    sticky.lastIndex = this.#position;
    const found = sticky.exec(this.text)?.[0] ?? null;
    if (found !== null) this.#position += found.length;
    return found;
  }
}
