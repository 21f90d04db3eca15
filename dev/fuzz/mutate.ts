/**
 * Damage of every kind to bytes, the same for the same random numbers.
 *
 * @module
 */

/** Numbers from a seed and the number of an input, by mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number, input: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(input + 1, 0xc2b2ae35);
  }

  /** A whole number from 0 to `limit`, exclusive. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return Math.floor(((value ^ (value >>> 14)) >>> 0) / 2 ** 32 * limit);
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Numbers that length fields fear. */
const NUMBERS = [
  0n,
  1n,
  127n,
  128n,
  255n,
  65535n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
];

/** Bytes that mean something in a pickle, in JSON, in a zip or in a npy header. */
const BYTES = Array.from(
  "\x00\x01\x7f\x80\xff(.)]}{[\",:0989RbcQtuesaqrhjX\x85\x86\x8a\x8b\x93\x94PK'",
)
  .map((letter) => letter.charCodeAt(0));

type Mutation = (bytes: number[], other: Uint8Array, random: Random) => void;

/** A range of at most `most` bytes. */
function range(length: number, random: Random, most = 64): [at: number, count: number] {
  const at = random.below(length + 1);
  return [at, random.below(Math.min(most, length - at) + 1)];
}

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, _, random) {
    const at = random.below(bytes.length);
    bytes[at]! ^= 1 << random.below(8);
  },
  function setByte(bytes, _, random) {
    bytes[random.below(bytes.length)] = random.pick(BYTES);
  },
  function setNumber(bytes, _, random) {
    const at = random.below(bytes.length), size = random.pick([2, 4, 8]);
    const near = BigInt(bytes.length + random.below(5) - 2);
    let value = random.below(4) === 0 ? near : random.pick(NUMBERS);
    for (let i = 0; i < size && at + i < bytes.length; i++, value >>= 8n) {
      bytes[at + i] = Number(value & 255n);
    }
  },
  function setDigits(bytes, _, random) {
    const digits = bytes.flatMap((byte, i) => byte >= 0x30 && byte <= 0x39 ? [i] : []);
    if (digits.length === 0) return;
    const text = random.pick(["0", "9", "99999999999", "-1", "1e9", "4294967296", "0.5"]);
    bytes.splice(random.pick(digits), 1, ...Array.from(text, (digit) => digit.charCodeAt(0)));
  },
  function cut(bytes, _, random) {
    bytes.length = random.below(bytes.length + 1);
  },
  function remove(bytes, _, random) {
    bytes.splice(...range(bytes.length, random));
  },
  function repeat(bytes, _, random) {
    const [at, count] = range(bytes.length, random);
    const part = bytes.slice(at, at + count);
    for (let i = random.below(8); i >= 0; i--) bytes.splice(at, 0, ...part);
  },
  function insert(bytes, _, random) {
    const part = Array.from({ length: random.below(16) }, () => random.below(256));
    bytes.splice(random.below(bytes.length + 1), 0, ...part);
  },
  function move(bytes, _, random) {
    const part = bytes.splice(...range(bytes.length, random));
    bytes.splice(random.below(bytes.length + 1), 0, ...part);
  },
  function splice(bytes, other, random) {
    const [from, count] = range(other.length, random, 256);
    bytes.splice(random.below(bytes.length + 1), 0, ...other.subarray(from, from + count));
  },
];

/** A copy with one piece of damage, or up to four; `other` gives bytes to splice in. */
export function mutate(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const list = Array.from(bytes);
  const pieces = random.below(2) === 0 ? 1 : 1 + random.below(4);
  for (let i = 0; i < pieces && list.length > 0; i++) {
    random.pick(MUTATIONS)(list, other, random);
  }
  return Uint8Array.from(list);
}
