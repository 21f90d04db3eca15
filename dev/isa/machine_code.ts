/**
 * Disassembly of AMD's RDNA as RADV prints it: instructions, and the loops that they form.
 *
 * @module
 */

/** One instruction. */
export interface Instruction {
  /** Its name, as in `v_fmac_f32_e32`. */
  readonly op: string;
  /** All of it, without its encoding. */
  readonly text: string;
}

/** A loop: a range of instructions that ends in a branch back to its start. */
export interface Loop {
  readonly start: number;
  /** One past the branch. */
  readonly end: number;
  /** How often it goes round each time that it is entered, where that is a constant. */
  readonly trips: number | undefined;
  /** Loops inside, in order; not those inside of these. */
  readonly inner: readonly Loop[];
}

/** Code, and its outermost loops. */
export interface MachineCode {
  readonly instructions: readonly Instruction[];
  readonly loops: readonly Loop[];
}

/** Reads RADV's disassembly: a line an instruction, `BB3:` before a block. */
export function parseCode(text: string): MachineCode {
  const instructions: Instruction[] = [];
  const blocks = new Map<string, number>();
  for (const line of text.split("\n")) {
    const block = /^(BB\d+):/.exec(line);
    if (block) blocks.set(block[1]!, instructions.length);
    const code = line.split(";", 1)[0]!.trim();
    const op = /^[a-z]\w*/.exec(code)?.[0];
    if (!block && op) instructions.push({ op, text: code });
  }
  return { instructions, loops: nest(instructions, backwardBranches(instructions, blocks)) };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Ranges from the target of a branch back to the branch; of several to one target, the longest. */
function backwardBranches(
  instructions: readonly Instruction[],
  blocks: ReadonlyMap<string, number>,
): Span[] {
  const ends = new Map<number, number>();
  for (const [i, { op, text }] of instructions.entries()) {
    if (!/^s_c?branch/.test(op)) continue;
    const target = blocks.get(text.split(/\s+/).at(-1)!);
    if (target !== undefined && target <= i) ends.set(target, i + 1);
  }
  return [...ends].map(([start, end]) => ({ start, end }));
}

/** Loops from their ranges, which lie inside each other or apart. */
function nest(instructions: readonly Instruction[], spans: readonly Span[]): Loop[] {
  const outer = spans.filter((span) => !spans.some((other) => encloses(other, span)));
  return outer.sort((a, b) => a.start - b.start).map(({ start, end }) => {
    const inner = nest(instructions, spans.filter((span) => encloses({ start, end }, span)));
    const own = instructions.slice(start, end).filter((_, i) => !within(inner, start + i));
    return { start, end, inner, trips: tripsOf(own) };
  });
}

const encloses = (a: Span, b: Span) =>
  a.start <= b.start && a.end >= b.end && a.end - a.start > b.end - b.start;
const within = (loops: readonly Span[], i: number) =>
  loops.some(({ start, end }) => i >= start && i < end);

/** Rounds of a loop that counts a scalar from zero to a constant. */
function tripsOf(own: readonly Instruction[]): number | undefined {
  for (const { text } of own) {
    const test = /^s_cmpk?_(?:ge|lt)_[ui]32 (s\d+), (\w+)$/.exec(text);
    if (!test) continue;
    const [, counter, most] = test;
    for (const { text } of own) {
      const step = /^s_add(?:k_i|_[ui])32 (s\d+), (?:(s\d+), )?(\w+)$/.exec(text);
      if (!step) continue;
      const [, sum, first = sum, by] = step;
      const back = sum === counter ||
        own.some(({ text }) => text === `s_mov_b32 ${counter}, ${sum}`);
      const trips = Number(most) / Number(by);
      if (first === counter && back && Number.isInteger(trips) && trips > 0) return trips;
    }
  }
  return undefined;
}

/** A loop's instructions once round, with loops of known length inside repeated. */
export function unrolledBody(code: MachineCode, loop: Loop): Instruction[] {
  const body: Instruction[] = [];
  let at = loop.start;
  for (const inner of loop.inner) {
    body.push(...code.instructions.slice(at, inner.start));
    const once = unrolledBody(code, inner);
    for (let n = 0; n < (inner.trips ?? 1); n++) body.push(...once);
    at = inner.end;
  }
  return [...body, ...code.instructions.slice(at, loop.end)];
}

/**
 * Once round the loop that does the work: of the loops, the one that itself has the most of what counts;
 * where its length is a constant, the loop around it. All code where there is no loop.
 */
export function hotLoop(
  code: MachineCode,
  counts: (instruction: Instruction) => number,
): Instruction[] {
  let best: { path: Loop[]; sum: number } | undefined;
  const visit = (loop: Loop, above: Loop[]) => {
    const path = [...above, loop];
    let sum = 0;
    for (let i = loop.start; i < loop.end; i++) {
      if (!within(loop.inner, i)) sum += counts(code.instructions[i]!);
    }
    if (!best || sum > best.sum) best = { path, sum };
    for (const inner of loop.inner) visit(inner, path);
  };
  for (const loop of code.loops) visit(loop, []);
  if (!best) return [...code.instructions];
  const { path } = best;
  while (path.length > 1 && path.at(-1)!.trips !== undefined) path.pop();
  return unrolledBody(code, path.at(-1)!);
}
