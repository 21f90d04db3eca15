/**
 * The scans of a JPEG: coefficients out of bits, in sequential and progressive order. ITU T.81,
 * sections F.2 and G.1.
 *
 * @module
 */
import { type BitReader, damaged, type HuffmanTable } from "./jpeg_huffman.ts";

/** The place in an 8x8 block, row by row, of each coefficient in coded order: T.81, figure A.6. */
export const ZIGZAG = Uint8Array.from(
  Array.from({ length: 64 }, (_, place) => place).sort((a, b) => zigzagRank(a) - zigzagRank(b)),
);

/** Diagonals one after the other, walked upwards where their number is even. */
function zigzagRank(place: number): number {
  const y = place >> 3, x = place & 7;
  return (x + y) * 8 + ((x + y) % 2 === 0 ? x : y);
}

/** A colour component of a frame. */
export interface Component {
  readonly id: number;
  /** Sampling factors, 1 to 4. */
  readonly h: number;
  readonly v: number;
  /** Samples that belong to the picture. */
  readonly width: number;
  readonly height: number;
  /** Blocks that hold them. */
  readonly blocksWide: number;
  readonly blocksHigh: number;
  /** Blocks a row of the arrays, which go on to the end of the last MCU. */
  readonly stride: number;
  /** Number of its quantisation table. */
  readonly quantIndex: number;
  /** The table, in coded order, once a scan has begun. */
  quant: Uint16Array | null;
  /** Progressive: all blocks, 64 coefficients each. */
  coefficients: Int16Array | null;
  /** Samples, 8 * stride a row. */
  plane: Uint8Array;
  /** Last DC value. */
  predicted: number;
  /** The lowest bit known of each coefficient in coded order; -1 where nothing is. */
  readonly known: Int8Array;
}

/** A component's share in a scan. */
export interface ScanPart {
  readonly component: Component;
  readonly dc: HuffmanTable | null;
  readonly ac: HuffmanTable | null;
}

/** A scan and its place in the picture. */
export interface Scan {
  readonly parts: readonly ScanPart[];
  /** First and last coefficient, in coded order. */
  readonly first: number;
  readonly last: number;
  /** The bit that was known before, plus 1 (0 at first), and the lowest bit that comes now. */
  readonly high: number;
  readonly low: number;
  readonly progressive: boolean;
  /** MCUs between restarts; 0 = none. */
  readonly restartInterval: number;
  readonly mcusWide: number;
  readonly mcusHigh: number;
  /** Sequential: takes a block when it is complete. */
  readonly emit: (component: Component, block: number, coefficients: Int16Array) => void;
}

type Decode = (part: ScanPart, block: number) => void;

/**
 * Decodes a scan.
 *
 * @throws SyntaxError when the data is damaged or ends early.
 */
export function decodeScan(bits: BitReader, scan: Scan): void {
  const { parts, restartInterval } = scan;
  const run = { left: 0 };
  const decode = scan.progressive ? progressive(bits, scan, run) : sequential(bits, scan);
  const [only] = parts;
  // A component alone has no MCUs: its blocks come row by row, without padding.
  const alone = parts.length === 1 && only ? only : null;
  const wide = alone ? alone.component.blocksWide : scan.mcusWide;
  const high = alone ? alone.component.blocksHigh : scan.mcusHigh;
  for (const { component } of parts) component.predicted = 0;
  let untilRestart = restartInterval, restarts = 0;
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      if (restartInterval > 0 && untilRestart-- === 0) {
        bits.restart(restarts++ & 7);
        for (const { component } of parts) component.predicted = 0;
        run.left = 0;
        untilRestart = restartInterval - 1;
      }
      if (alone) decode(alone, y * alone.component.stride + x);
      else decodeMcu(parts, x, y, decode);
    }
  }
}

function decodeMcu(parts: readonly ScanPart[], x: number, y: number, decode: Decode): void {
  for (const part of parts) {
    const { h, v, stride } = part.component;
    for (let j = 0; j < v; j++) {
      for (let i = 0; i < h; i++) decode(part, (y * v + j) * stride + x * h + i);
    }
  }
}

function tableOf(table: HuffmanTable | null): HuffmanTable {
  if (!table) throw damaged("a scan's Huffman table must come before it");
  return table;
}

function badRun(): SyntaxError {
  return damaged("a run of zeros must end inside its block");
}

/** T.81, F.2.2. */
function sequential(bits: BitReader, { emit }: Scan): Decode {
  const block = new Int16Array(64);
  return ({ component, dc, ac }, index) => {
    block.fill(0);
    component.predicted += bits.signed(sizeOf(bits.symbol(tableOf(dc))));
    block[0] = component.predicted;
    const table = tableOf(ac);
    for (let k = 1; k < 64; k++) {
      const symbol = bits.symbol(table);
      const size = symbol & 15;
      if (size === 0) {
        if (symbol !== 0xf0) break;
        k += 15;
        continue;
      }
      k += symbol >> 4;
      if (k > 63) throw badRun();
      block[ZIGZAG[k]!] = bits.signed(size);
    }
    emit(component, index, block);
  };
}

function sizeOf(symbol: number): number {
  if (symbol > 15) throw damaged(`a DC value must have at most 15 bits, got ${symbol}`);
  return symbol;
}

/** T.81, G.1.2. */
function progressive(bits: BitReader, scan: Scan, run: { left: number }): Decode {
  const { first, low, high } = scan;
  if (first === 0) {
    return high > 0
      ? ({ component }, index) => {
        if (bits.take(1) === 1) component.coefficients![index * 64]! |= 1 << low;
      }
      : ({ component, dc }, index) => {
        component.predicted += bits.signed(sizeOf(bits.symbol(tableOf(dc))));
        component.coefficients![index * 64] = component.predicted << low;
      };
  }
  return high > 0
    ? ({ component, ac }, index) => refineBlock(bits, scan, run, component, tableOf(ac), index * 64)
    : ({ component, ac }, index) => firstBits(bits, scan, run, component, tableOf(ac), index * 64);
}

/** The run of blocks without coefficients that a symbol of size 0 starts: T.81, table G.1. */
function endOfBand(bits: BitReader, power: number): number {
  return (1 << power) + bits.take(power);
}

function firstBits(
  bits: BitReader,
  { first, last, low }: Scan,
  run: { left: number },
  component: Component,
  table: HuffmanTable,
  base: number,
): void {
  if (run.left > 0) {
    run.left--;
    return;
  }
  const block = component.coefficients!;
  for (let k = first; k <= last; k++) {
    const symbol = bits.symbol(table);
    const size = symbol & 15, zeros = symbol >> 4;
    if (size === 0) {
      if (zeros < 15) {
        run.left = endOfBand(bits, zeros) - 1;
        return;
      }
      k += 15;
      continue;
    }
    k += zeros;
    if (k > last) throw badRun();
    block[base + ZIGZAG[k]!] = bits.signed(size) << low;
  }
}

/** Coefficients that are known get one more bit each; between them, new ones appear. */
function refineBlock(
  bits: BitReader,
  { first, last, low }: Scan,
  run: { left: number },
  component: Component,
  table: HuffmanTable,
  base: number,
): void {
  const block = component.coefficients!;
  const step = 1 << low;
  let k = first;
  /** Passes over what is known and up to `zeros` zeros; stops at the zero after them. */
  const pass = (zeros: number) => {
    for (; k <= last; k++) {
      const at = base + ZIGZAG[k]!;
      const value = block[at]!;
      if (value === 0) {
        if (zeros-- === 0) return;
      } else if (bits.take(1) === 1 && (value & step) === 0) {
        block[at] = value > 0 ? value + step : value - step;
      }
    }
  };
  while (run.left === 0 && k <= last) {
    const symbol = bits.symbol(table);
    const size = symbol & 15, zeros = symbol >> 4;
    if (size === 0 && zeros < 15) {
      run.left = endOfBand(bits, zeros);
      break;
    }
    if (size > 1) throw damaged(`a refined coefficient must have 1 bit, got ${size}`);
    const value = size === 0 ? 0 : bits.take(1) === 1 ? step : -step;
    pass(zeros);
    if (value !== 0) {
      if (k > last) throw badRun();
      block[base + ZIGZAG[k]!] = value;
    }
    k++;
  }
  if (run.left > 0) {
    pass(Infinity);
    run.left--;
  }
}
