import { makeProcess, type ProcessOptions } from "../../diffusion/process.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";

const PLAIN = {
  ...{ timesteps: 30, schedule: "linear", betaStart: 1e-3, betaEnd: 0.3 },
  ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: true },
} as const satisfies ProcessOptions;

const process = makeProcess(PLAIN);
const snr = process.schedule.levels.map(({ signalPower, noisePower }) => signalPower / noisePower);
const weights = (
  options: Partial<ProcessOptions>,
) => [...makeProcess({ ...PLAIN, ...options }).tables.weight!];
/** By target: the square of what an error in the output is in the clean image. */
const TO_X0 = {
  epsilon: (s: number) => 1 / s,
  x0: () => 1,
  v: (s: number) => 1 / (1 + s),
  velocity: (_: number, t: number) => {
    const { signal, noise } = process.schedule.levels[t]!;
    return (noise / (signal + noise)) ** 2;
  },
};

for (const target of ["epsilon", "x0", "v", "velocity"] as const) {
  Deno.test(`weightings count the same for target ${target} as for any other`, () => {
    const ofX0 = (weight: (s: number, t: number) => number) =>
      snr.map((s, t) => weight(s, t) * TO_X0[target](s, t));
    const cases: [Partial<ProcessOptions>, (s: number, t: number) => number][] = [
      [{ weighting: "min-snr" }, (s) => Math.min(s, 5)],
      [{ weighting: "min-snr", weightingOptions: { snrGamma: 1 } }, (s) => Math.min(s, 1)],
      [{ weighting: "min-snr", weightingOptions: { snrGamma: null } }, (s) => s],
      [{ weighting: "soft-min-snr", sigmaData: 0.7 }, (s) => 1 / (1 / s + 0.49)],
      [{ weighting: "edm" }, (s) => (1 / s + 0.25) / (0.25 / s)],
      [{ weighting: "x0-loss" }, () => 1],
      [{ weighting: "epsilon-loss" }, (s) => s],
      [{ weighting: "v-loss" }, (s) => 1 + s],
      [
        { weighting: "sigmoid", weightingOptions: { sigmoidBias: -1 } },
        (s) => s / (1 + Math.exp(Math.log(s) + 1)),
      ],
      [{ weighting: "sigma-sqrt" }, (_, t) => 1 / process.schedule.levels[t]!.noisePower],
      [{ weighting: "cosmap" }, (_, t) => {
        const time = process.schedule.levels[t]!.noise;
        return 2 / Math.PI / (1 - 2 * time + 2 * time * time);
      }],
    ];
    for (const [options, weight] of cases) {
      assertAllClose(weights({ target, ...options }), ofX0(weight), {
        ...{ rtol: 1e-9, atol: 0, name: options.weighting! },
      });
    }
  });
}

Deno.test("P2 counts k, or gamma in its place as denoising-diffusion-flax does", () => {
  const p2 = (weightingOptions: NonNullable<ProcessOptions["weightingOptions"]>) =>
    weights({ weighting: "p2", weightingOptions });
  assertAllClose(p2({ p2Gamma: 0.5, p2K: 2 }), snr.map((s) => (2 + s) ** -0.5));
  assertAllClose(p2({ p2Gamma: 0.5, p2K: 2, p2Slip: true }), snr.map((s) => (0.5 + s) ** -0.5));
  assertEquals(p2({ p2Gamma: 0 }), snr.map(() => 1));
});

Deno.test("a network of target edm has the loss of Karras et al. 2022 without a weighting", () => {
  for (const weight of weights({ target: "edm", weighting: "edm" })) {
    assertAllClose([weight], [1], { rtol: 1e-9 });
  }
});

Deno.test("lossOn compares what the output implies, and weightings know of it", () => {
  const options = { target: "x0", lossOn: "velocity", lossLimit: null } as const;
  const { tables, schedule } = makeProcess({ ...PLAIN, ...options });
  const x0 = 0.4, e = -0.9, wrong = 0.1;
  schedule.levels.forEach(({ signal, noise }, t) => {
    const x = signal * x0 + noise * e, { prediction, target } = tables.loss!;
    const found = prediction.xt[t]! * x + prediction.output[t]! * (x0 + wrong);
    const implied = (x - signal * (x0 + wrong)) / noise - (x0 + wrong);
    assertAllClose([found], [implied], { rtol: 1e-9 });
    assertAllClose([target.x0[t]! * x0 + target.noise[t]! * e + target.xt[t]! * x], [e - x0]);
  });
  // An error d in x0 is one of (signal + noise) / noise d in the velocity.
  assertAllClose(
    weights({ ...options, weighting: "x0-loss" }),
    schedule.levels.map(({ signal, noise }) => (noise / (signal + noise)) ** 2),
    { rtol: 1e-9 },
  );
});

Deno.test("lossLimit bounds the output's share, and with lossLimitTarget what is wanted", () => {
  const options = { target: "x0", lossOn: "velocity", lossLimit: 5 } as const;
  const all = makeProcess({ ...PLAIN, ...options }).tables.loss!;
  const half = makeProcess({ ...PLAIN, ...options, lossLimitTarget: false }).tables.loss!;
  const free = makeProcess({ ...PLAIN, ...options, lossLimit: null }).tables.loss!;
  free.prediction.output.forEach((share, t) => {
    const scale = Math.min(1, 5 / Math.abs(share));
    assertAllClose([all.prediction.output[t]!], [scale * share]);
    assertAllClose([all.target.noise[t]!, half.target.noise[t]!], [scale, 1]);
  });
  assertEquals(Math.max(...all.prediction.output.map(Math.abs)), 5);
});
