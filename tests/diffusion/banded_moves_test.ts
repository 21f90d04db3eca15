import { isEvaluation, type Move } from "../../diffusion/moves.ts";
import { unitRings } from "../../diffusion/frequency.ts";
import { repaintMoves } from "../../diffusion/inpainting.ts";
import { makeProcess, type ProcessOptions } from "../../diffusion/process.ts";
import { FORWARD_PROCESS_NAMES, isBanded } from "../../diffusion/processes/registry.ts";
import {
  inversionMoves,
  SAMPLER_NAMES,
  samplerMoves,
  type SamplerOptions,
} from "../../diffusion/samplers/registry.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { finalVariance, marginal } from "./gaussian_field.ts";

const PLANE = { height: 6, width: 6 };
/** The spectrum of a Gaussian field, |k|^-2 beyond the lowest frequencies. */
const power = (radius: number) => 4 / (1 + radius ** 2);
const RINGS = Array.from({ length: unitRings(6, 6).count }, (_, ring) => power(ring));
const OPTIONS: ProcessOptions = {
  ...{ timesteps: 100, schedule: "linear-torch", betaStart: 1e-3, betaEnd: 0.2 },
  ...{ target: "v", weighting: "uniform", variance: "fixedsmall", clipX0: false },
  processOptions: { spectrum: RINGS, mean: [0], blurMax: 3 },
};
const BANDED = FORWARD_PROCESS_NAMES.filter((name) => isBanded(name));

/** The options of a sampler that takes fine steps. */
function fine(name: SamplerOptions["name"]): SamplerOptions {
  const settings = { eta: 0.5, spacing: "trailing", order: name === "deis" ? 3 : 2 } as const;
  return { name, steps: name === "ddpm" ? null : 100, ...settings };
}

/**
 * Solvers of first order, whose error falls as 1 / steps: allowed more.
 */
const FIRST_ORDER = ["ddpm", "ddim", "ancestral", "euler", "euler-ancestral", "dpmpp-1s"];

for (const name of BANDED) {
  Deno.test(`bandedMoves() give the spectrum of a Gaussian field back in process ${name}`, () => {
    const process = makeProcess({ ...OPTIONS, process: name }, PLANE);
    const { bands, processes } = process.banded!;
    const solvers = SAMPLER_NAMES.filter((sampler) =>
      // Predicts the mean of what may be, unless the network is a consistency model.
      sampler !== "consistency"
    );
    for (const sampler of solvers) {
      let moves: Move[];
      try {
        moves = samplerMoves(process, fine(sampler));
      } catch (error) {
        // What is refused says why.
        assert(/Cannot (sample with|take steps of)/.test(String(error)), String(error));
        assert(["heat", "blur"].includes(name), `${sampler} must work in ${name}: ${error}`);
        continue;
      }
      const some = [0, 1, Math.floor(bands.count / 2), bands.count - 1];
      const errors = some.map((band) => {
        const c = power(Math.round(bands.radii[band]!));
        return Math.abs(finalVariance(moves, band, processes[band]!, c) / c - 1);
      });
      const worst = Math.max(...errors);
      const most = FIRST_ORDER.includes(sampler) ? 0.2 : 0.08;
      assert(worst < most, `${sampler} must give the spectrum back, is off by ${worst}`);
    }
  });
}

Deno.test("bandedMoves() come closer to the spectrum with more steps", () => {
  const process = makeProcess({ ...OPTIONS, process: "blur" }, PLANE);
  const { bands, processes } = process.banded!, last = bands.count - 1;
  const c = power(Math.round(bands.radii[last]!));
  const off = (name: SamplerOptions["name"], steps: number) =>
    Math.abs(
      finalVariance(
            samplerMoves(process, { name, steps, spacing: "trailing" }),
            last,
            processes[last]!,
            c,
          ) / c - 1,
    );
  for (const name of ["euler", "heun", "dpmpp-2m", "dpmpp-2s"] as const) {
    assert(off(name, 50) < 0.7 * off(name, 20), `${name}: ${off(name, 20)}, ${off(name, 50)}`);
  }
});

Deno.test("bandedMoves() invert an image to noise that the sampler makes it from", () => {
  const process = makeProcess({ ...OPTIONS, process: "equal-snr" }, PLANE);
  const sampler = { name: "heun", steps: 50, spacing: "trailing" } as const;
  const back = inversionMoves(process, sampler), there = samplerMoves(process, sampler);
  const { processes } = process.banded!, own = processes[5]!, c = 0.5;
  /** The factor that deterministic moves have. */
  const factor = (moves: readonly Move[]) =>
    Math.sqrt(finalVariance(moves, 5, own, c) / marginal(own, c));
  assert(Math.abs(factor(back) * factor(there) - 1) < 0.02, `${factor(back) * factor(there)}`);
});

Deno.test("bandedMoves() and repaintMoves() refuse what frequencies that differ can't do", () => {
  const process = makeProcess({ ...OPTIONS, process: "power" }, PLANE);
  const ddim = { name: "ddim", steps: 10, eta: 0, spacing: "trailing" } as const;
  assertThrows(
    () => samplerMoves(process, { ...ddim, threshold: 0.99 }),
    RangeError,
    "Cannot sample with ddim: dynamic thresholding must have a process that is alike",
  );
  assertThrows(
    () => repaintMoves(process, ddim, { resample: 2, jump: 1 }),
    RangeError,
    "Cannot inpaint with a process that differs by frequency",
  );
  assertThrows(
    () =>
      samplerMoves(process, {
        ...{ name: "heun", steps: 10, spacing: "trailing" },
        ...{ churn: 5, churnMin: 0.5, churnMax: 2 },
      }),
    RangeError,
    "it must take the same levels at all frequencies",
  );
  const churned = samplerMoves(process, { name: "heun", steps: 10, spacing: "trailing", churn: 5 });
  assertEquals(churned.filter((move) => !isEvaluation(move)).length > 0, true);
});
