/**
 * The samplers by name.
 *
 * @module
 */
import { integer, nullable, option, type OptionsOf, sideBySide } from "../../support/options.ts";
import { bandedMoves } from "../banded_moves.ts";
import { bounded, boundedProcess, BOUNDS } from "../bounds.ts";
import { corrected, CORRECTION } from "../correction.ts";
import { isEvaluation, levelOfMove, type Move, type SamplerStep } from "../moves.ts";
import { type Names, namesOf } from "../names.ts";
import { COLOUR, coloured } from "../noise_colour.ts";
import { pathOf, reversed } from "../path.ts";
import type { Process } from "../process.ts";
import { combine, evaluate, IMAGE, noiseAt } from "../shares.ts";
import { ANCESTRAL } from "./ancestral.ts";
import { CONSISTENCY } from "./consistency.ts";
import { DDIM } from "./ddim.ts";
import { DDPM } from "./ddpm.ts";
import { DEIS } from "./deis.ts";
import { DPMPP_2M } from "./dpmpp_2m.ts";
import { DPMPP_2S_SDE } from "./dpmpp_2s_sde.ts";
import { DPMPP_3M } from "./dpmpp_3m.ts";
import { DPMPP_2M_SDE, DPMPP_3M_SDE } from "./dpmpp_sde.ts";
import { DPMPP_1S, DPMPP_2S } from "./dpmpp_singlestep.ts";
import { EULER } from "./euler.ts";
import { EULER_ANCESTRAL } from "./euler_ancestral.ts";
import { HEUN } from "./heun.ts";
import { LMS } from "./lms.ts";
import { MIDPOINT } from "./midpoint.ts";
import { PNDM } from "./pndm.ts";
import type { SamplerRecord } from "./record.ts";
import { RK4 } from "./rk4.ts";
import { UNIPC } from "./unipc.ts";

const TABLE = {
  "ddpm": DDPM,
  "ddim": DDIM,
  "dpmpp-2m": DPMPP_2M,
  "ancestral": ANCESTRAL,
  "euler": EULER,
  "euler-ancestral": EULER_ANCESTRAL,
  "heun": HEUN,
  "midpoint": MIDPOINT,
  "rk4": RK4,
  "dpmpp-1s": DPMPP_1S,
  "dpmpp-2s": DPMPP_2S,
  "dpmpp-3m": DPMPP_3M,
  "dpmpp-2s-sde": DPMPP_2S_SDE,
  "dpmpp-2m-sde": DPMPP_2M_SDE,
  "dpmpp-3m-sde": DPMPP_3M_SDE,
  "unipc": UNIPC,
  "pndm": PNDM,
  "deis": DEIS,
  "lms": LMS,
  "consistency": CONSISTENCY,
} as const satisfies Readonly<Record<string, SamplerRecord>>;

/** Names of samplers. */
export const SAMPLER_NAMES: Names<typeof TABLE> = namesOf(TABLE);

/** @internal */
type Known = keyof typeof TABLE;

/** A sampler. */
export type SamplerName = Known;

/** The samplers. A new one is a file and a line above. */
export const SAMPLERS: Readonly<Record<SamplerName, SamplerRecord>> = TABLE;

/** Options that all samplers have, beside the number of steps. */
export const SAMPLING_OPTIONS = { ...BOUNDS, ...CORRECTION, ...COLOUR };

/** A sampler in a config. */
export const SAMPLER = sideBySide("The sampler of previews", TABLE, {
  name: "ddpm",
  about: "The sampler",
  shared: {
    steps: option(nullable(integer({ min: 1 })), null, "Steps of a sample; null = every timestep"),
    ...SAMPLING_OPTIONS,
  },
});

/** @internal */
type Described = OptionsOf<typeof SAMPLER>;

/** Options of a sampler; what is not given is as a config has it by default. */
export type SamplerOptions = Pick<Described, "name" | "steps"> & Partial<Described>;

/** What options are where a config says nothing. */
export const SAMPLER_DEFAULTS: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries(SAMPLER.fields).flatMap(([key, field]) =>
    field.kind === "option" ? [[key, field.initial]] : []
  ),
);

/**
 * The moves of a sample, first to last.
 *
 * @throws {RangeError} if an option is outside its range
 */
export function samplerMoves(process: Process, sampler: SamplerOptions): Move[] {
  if (process.banded) {
    return bandedMoves(process, wanted("sample", sampler), (own) => samplerMoves(own, sampler));
  }
  const settings = { ...SAMPLER_DEFAULTS, ...sampler } as Described;
  const found = SAMPLERS[sampler.name].moves(settings as never, boundedProcess(process, settings));
  const broken = found.find((move) => isEvaluation(move) && !isFinite(move));
  if (!broken) {
    return coloured(corrected(bounded(found, settings), process.schedule, settings), settings);
  }
  const level = found.map(levelOfMove).find((level) =>
    level !== null && process.schedule.at(level).signal === 0
  );
  throw new RangeError(
    `Cannot sample with ${sampler.name}: every level that it visits must have some signal, level ` +
      `${level ?? levelOfMove(broken)} has none; take euler, heun or ddim, or other levels`,
  );
}

/**
 * The moves from an image to the noise that the sampler would make it from, first to last: its way gone
 * back. The image is taken for one of the least noise, and gets the noise that the network sees in it.
 *
 * @throws {RangeError} If the sampler draws noise, or an option is outside its range.
 */
export function inversionMoves(process: Process, sampler: SamplerOptions): Move[] {
  if (process.banded) {
    return bandedMoves(process, wanted("invert", sampler), (own) => inversionMoves(own, sampler));
  }
  const settings = { ...SAMPLER_DEFAULTS, ...sampler } as Described;
  const { along } = SAMPLERS[sampler.name];
  const bounds = boundedProcess(process, settings);
  const path = reversed(pathOf(bounds, settings));
  const first = path.stops[0]!;
  const moves = along?.(path, settings as never) ?? [];
  if (moves.length === 0 || !moves.every((move) => isEvaluation(move) && move.noise === 0)) {
    throw new RangeError(
      `Cannot invert with ${sampler.name}: the sampler must draw no noise with these options, take ` +
        "heun or ddim with eta 0",
    );
  }
  const noising = evaluate(path, first, {
    ...{ to: first.level, image: combine([1, IMAGE], [first.noise, noiseAt(path, first)]) },
  });
  const start: Move = { renoise: { signal: first.signal, noise: 0 } };
  return [start, ...bounded([noising, ...moves], settings)];
}

/** What is asked of the moves of all frequencies. */
function wanted(verb: string, { name, threshold }: SamplerOptions) {
  const { extrapolates = false }: SamplerRecord = SAMPLERS[name];
  return { verb: `${verb} with ${name}`, threshold, extrapolates };
}

/** Whether all coefficients of an evaluation are finite. */
function isFinite({ fromX0, fromX, fromF, noise, fromKept = [] }: SamplerStep): boolean {
  return [fromX0, fromX, fromF, noise, ...fromKept].every(Number.isFinite);
}

/** Names of the samplers that go by an option. */
export function samplersWith(option: string): SamplerName[] {
  return SAMPLER_NAMES.filter((name) => option in SAMPLERS[name].options);
}
