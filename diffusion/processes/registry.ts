/**
 * The forward processes by name.
 *
 * @module
 */
import { type OptionsOf, optionsOfAll, withDefaults } from "../../support/options.ts";
import { type Names, namesOf } from "../names.ts";
import { BLUE } from "./blue.ts";
import { BLUR } from "./blur.ts";
import { DDPM } from "./ddpm.ts";
import { EQUAL_SNR } from "./equal_snr.ts";
import { FANS } from "./fans.ts";
import { FLIPPED_SNR } from "./flipped_snr.ts";
import { HEAT } from "./heat.ts";
import { MASK } from "./mask.ts";
import { POWER } from "./power.ts";
import { type ForwardProcessRecord, SHARED } from "./record.ts";
import { WARM } from "./warm.ts";

/** A new one is a file and a line here. */
const TABLE = {
  "ddpm": DDPM,
  "power": POWER,
  "mask": MASK,
  "equal-snr": EQUAL_SNR,
  "flipped-snr": FLIPPED_SNR,
  "blur": BLUR,
  "heat": HEAT,
  "blue": BLUE,
  "warm": WARM,
  "fans": FANS,
} as const satisfies Readonly<Record<string, ForwardProcessRecord<never>>>;

/** @internal */
type Named = keyof typeof TABLE;

/** A forward process. */
export type ForwardProcessName = Named;

/** Names of forward processes. */
export const FORWARD_PROCESS_NAMES: Names<typeof TABLE> = namesOf(TABLE);

/** The forward processes. */
export const FORWARD_PROCESSES: Readonly<Record<ForwardProcessName, ForwardProcessRecord<never>>> =
  TABLE;

/** Options of forward processes in a config. */
export const FORWARD_OPTIONS = optionsOfAll("Options of forward processes", TABLE, SHARED);

/** @internal */
type Described = OptionsOf<typeof FORWARD_OPTIONS>;

/** Options of forward processes. */
export type ForwardOptions = Described;

/** The forward process in a config. */
export interface ProcessSettings {
  /** Its name; "ddpm" unless given. */
  readonly process?: ForwardProcessName;
  /** Options of processes; their defaults unless given. */
  readonly processOptions?: Partial<ForwardOptions>;
}

/** Whether a process differs by frequency. */
export function isBanded(name: ForwardProcessName = "ddpm"): boolean {
  return FORWARD_PROCESSES[name].transform !== null;
}

/** Whether a process goes by a spectrum that nobody has measured yet. */
export function wantsSpectrum({ process = "ddpm", processOptions }: ProcessSettings): boolean {
  return (FORWARD_PROCESSES[process].measures ?? false) && !processOptions?.spectrum;
}

/** The options, with defaults for what is not given. */
export function forwardOptions(options: Partial<ForwardOptions> = {}): ForwardOptions {
  return withDefaults(FORWARD_OPTIONS, options);
}
