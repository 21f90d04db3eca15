/**
 * The graphics chips that code is compiled for, as far as the counts need to know them: AMD's RDNA2 and
 * RDNA3, from AMD's instruction set guides and the vendors' data sheets of the cards named.
 *
 * @module
 */

/** A chip on a card. */
export interface Chip {
  /** The card whose clocks and memory are meant. */
  readonly card: string;
  /** What RADV calls it in RADV_FORCE_FAMILY, by versions of Mesa: before 23, and from then on. */
  readonly families: readonly [old: string, current: string];
  /** Vector registers of a SIMD, for waves of 32 lanes; those of 64 have half. */
  readonly registers: number;
  /** Whether a SIMD makes two f32 multiply-adds a lane and cycle. */
  readonly dual: boolean;
  /** Workgroup processors, each of four SIMDs and 128 KiB of workgroup memory. */
  readonly processors: number;
  /** Peak of f32, 10^12 operations a second. */
  readonly teraflops: number;
  /** Bandwidth of the card's memory, 10^9 bytes a second. */
  readonly gigabytes: number;
}

/** The chips, by name. */
export const CHIPS = {
  navi21: {
    card: "RX 6800 XT",
    families: ["navi21", "navi21"],
    registers: 1024,
    dual: false,
    processors: 36,
    teraflops: 20.7,
    gigabytes: 512,
  },
  navi31: {
    card: "RX 7900 XTX",
    families: ["gfx1100", "navi31"],
    registers: 1536,
    dual: true,
    processors: 48,
    teraflops: 61.4,
    gigabytes: 960,
  },
} as const satisfies Readonly<Record<string, Chip>>;

/** Name of a chip. */
export type ChipName = keyof typeof CHIPS;

/** SIMDs of a workgroup processor. */
const SIMDS = 4;

/** Waves that a SIMD holds at most. */
const MOST_WAVES = 16;

/** Bytes of workgroup memory of a workgroup processor. */
const LDS_BYTES = 128 << 10;

/** What a workgroup takes. */
export interface Footprint {
  /** Lanes of a wave. */
  readonly wave: number;
  readonly invocations: number;
  /** Vector registers of a lane. */
  readonly vgprs: number;
  /** Bytes of workgroup memory. */
  readonly lds: number;
}

/** Waves that a SIMD holds where nothing but such workgroups runs. */
export function occupancy(chip: Chip, { wave, invocations, vgprs, lds }: Footprint): number {
  const registers = chip.registers * 32 / wave;
  const held = Math.min(MOST_WAVES, Math.floor(registers / Math.max(1, vgprs)));
  const ofGroup = Math.ceil(invocations / wave);
  const groups = Math.min(
    Math.floor(SIMDS * held / ofGroup),
    lds > 0 ? Math.floor(LDS_BYTES / lds) : Infinity,
  );
  return groups * ofGroup / SIMDS;
}
