/**
 * What a loop's instructions cost a SIMD, and what that leaves of the chip's peak.
 *
 * Vector instructions take a cycle for each 32 lanes, integer products and transcendentals four. RDNA3
 * makes two multiply-adds at once: paired by the compiler in waves of 32 lanes, and both halves of a wave
 * of 64. Workgroup memory gives 128 bytes a cycle to two SIMDs.
 *
 * @module
 */
import type { Chip } from "./chips.ts";
import type { Instruction } from "./machine_code.ts";

/** Counts of one round. */
export interface LoopCounts {
  readonly instructions: number;
  /** Multiply-adds, f32 or of halves. */
  readonly multiplyAdds: number;
  /** Those of them whose factors are halves; packed instructions make two. */
  readonly halfMultiplyAdds: number;
  /** All other vector operations. */
  readonly otherVector: number;
  /** Accesses to workgroup memory, by bits. */
  readonly ldsReads: Readonly<Record<string, number>>;
  readonly ldsWrites: Readonly<Record<string, number>>;
  /** Loads from buffers, by bits. */
  readonly loads: Readonly<Record<string, number>>;
  /** Loads and stores of spilled registers. */
  readonly scratch: number;
  readonly barriers: number;
  /** Multiply-adds between a load and the wait for it, the least over all loads; null without loads. */
  readonly ahead: number | null;
  /** Cycles of workgroup memory for a cycle of multiply-adds at the peak; over 1 it sets the pace. */
  readonly ldsShare: number;
  /** Share of the f32 peak that is left if nothing ever waits, 0 to 1. */
  readonly bound: number;
}

const MULTIPLY_ADD = /^v_(dual_)?(fma|fmac|fmaak|fmamk|mad|mac|madak|madmk)_f32/;
/** Halves multiplied in pairs, with a sum of halves or of f32, and one by one with a sum of f32. */
const PACKED = /^v_(pk_(fma|fmac)_f16|dot2c?_f32_f16)/, MIXED = /^v_(fma|mad)_mix_f32/;
const SLOW = /^v_(exp|log|rcp|rsq|sqrt|sin|cos)_|^v_(mul_lo|mul_hi)_[ui]32|^v_mad_[ui]64/;
const BUFFER_LOAD = /^(s?buffer|global|flat|tbuffer)_load/;
const LDS_BYTES_A_CYCLE = 128, SIMDS_AT_LDS = 2;

/** Multiply-adds of an instruction whose factors are halves. */
function halfMultiplyAddsOf({ op }: Instruction): number {
  return PACKED.test(op) ? 2 : MIXED.test(op) ? 1 : 0;
}

/** Multiply-adds of an instruction; a dual one has up to two. */
export function multiplyAddsOf(instruction: Instruction): number {
  const { text } = instruction;
  if (!text.startsWith("v_")) return 0;
  return halfMultiplyAddsOf(instruction) ||
    text.split("::").filter((part) => MULTIPLY_ADD.test(part.trim())).length;
}

/** Counts `body`, once round a loop, run by waves of `wave` lanes. */
export function countLoop(body: readonly Instruction[], wave: number, chip: Chip): LoopCounts {
  const passes = wave / 32;
  const ldsReads: Record<string, number> = {}, ldsWrites: Record<string, number> = {};
  const loads: Record<string, number> = {};
  let multiplyAdds = 0,
    halfMultiplyAdds = 0,
    operations = 0,
    products = 0,
    cycles = 0,
    ldsBytes = 0,
    scratch = 0,
    barriers = 0;
  const note = (by: Record<string, number>, op: string) => {
    const { name, bytes } = accessOf(op);
    by[name] = (by[name] ?? 0) + 1;
    return bytes;
  };
  for (const instruction of body) {
    const { op, text } = instruction;
    if (op.startsWith("v_")) {
      const own = multiplyAddsOf(instruction);
      multiplyAdds += own;
      const halves = halfMultiplyAddsOf(instruction);
      halfMultiplyAdds += halves;
      products += PACKED.test(op) ? 1 : own;
      operations += text.split("::").length;
      const bothHalves = chip.dual && wave === 64 && own > halves;
      cycles += bothHalves ? 1 : passes * (SLOW.test(op) ? 4 : 1);
    } else if (/^ds_(read|load)/.test(op)) ldsBytes += note(ldsReads, op);
    else if (/^ds_(write|store)/.test(op)) ldsBytes += note(ldsWrites, op);
    else if (BUFFER_LOAD.test(op)) note(loads, op);
    else if (op.startsWith("scratch_")) scratch++;
    else if (op === "s_barrier") barriers++;
  }
  const peakCycles = multiplyAdds * passes / (chip.dual ? 2 : 1);
  const ldsCycles = SIMDS_AT_LDS * ldsBytes * wave / LDS_BYTES_A_CYCLE;
  return {
    ...{ instructions: body.length, multiplyAdds, otherVector: operations - products },
    halfMultiplyAdds,
    ...{ ldsReads, ldsWrites, loads, scratch, barriers, ahead: multiplyAddsAhead(body) },
    ldsShare: peakCycles > 0 ? ldsCycles / peakCycles : 0,
    bound: multiplyAdds > 0 ? peakCycles / Math.max(cycles, ldsCycles) : 0,
  };
}

/** Width of an access; names are those of RDNA2 (`dwordx4`) and RDNA3 (`b128`). */
function accessOf(op: string): { name: string; bytes: number } {
  const words = /dword(?:x(\d))?/.exec(op);
  const bits = words ? 32 * Number(words[1] ?? 1) : Number(/_[bui](\d+)/.exec(op)?.[1] ?? 32);
  const twice = /^ds_(read|load|write|store)(x?2|_2addr)/.test(op);
  return { name: twice ? `2x${bits}` : `${bits}`, bytes: bits / 8 * (twice ? 2 : 1) };
}

/** See {@linkcode LoopCounts.ahead}. The loop is taken to go round, so a wait may precede its load. */
function multiplyAddsAhead(body: readonly Instruction[]): number | null {
  let least: number | null = null;
  for (const [i, { op }] of body.entries()) {
    if (!BUFFER_LOAD.test(op)) continue;
    let between = 0, later = 0;
    for (let j = 1; j <= body.length; j++) {
      const next = body[(i + j) % body.length]!;
      between += multiplyAddsOf(next);
      if (BUFFER_LOAD.test(next.op)) later++;
      // Loads return in order: with that many still out, this one is there.
      const out = /^s_waitcnt.*vmcnt\((\d+)\)/.exec(next.text)?.[1];
      if (out === undefined || Number(out) > later) continue;
      least = Math.min(least ?? Infinity, between);
      break;
    }
  }
  return least;
}
