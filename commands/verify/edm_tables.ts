/**
 * The family edm: sigmas, preconditioning, and sigmas that training draws.
 *
 * @module
 */
import { edmDraw, edmPreconditioning } from "../../diffusion/preconditionings/edm.ts";
import { processOn } from "../../diffusion/process.ts";
import { ddimSteps } from "../../diffusion/samplers/ddim.ts";
import {
  continuousSchedule,
  logSpaced,
  powerSpaced,
} from "../../diffusion/schedules/continuous.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { vpSigma } from "../../diffusion/schedules/vp.ts";
import { caseOf, checkRounded, checkTable, type Json } from "./feature_checks.ts";
import { type CaseResult, type GoldenFile, replay, Unsupported } from "./golden.ts";

const FAMILY = "edm";

/** Replays the family. */
export async function* verifyEdmTables(golden: GoldenFile): AsyncGenerator<CaseResult> {
  for (const group of new Set(golden.names.map((name) => name.split("/").slice(0, 2).join("/")))) {
    const part = group.split("/")[0]!;
    const names = golden.names.filter((name) => name === group || name.startsWith(`${group}/`));
    const name = { case: group, family: FAMILY, op: part };
    if (part === "train") {
      if (group !== "train/sigma") continue;
      yield* replay(name, () => verifyTraining(golden));
    } else if (part === "sigmas") yield* replay(name, () => verifySigmas(golden, group, names));
    else if (part === "precond") {
      yield* replay(name, () => verifyPreconditioning(golden, group, names));
    } else if (part === "ancestral") {
      if (group !== "ancestral/down_up") continue;
      yield* replay(name, () => verifyAncestral(golden));
    } else yield* replay(name, () => Promise.reject(new Unsupported(`${part} is not known`)));
  }
}

const NUMBER = "([0-9.e+-]+)";
/** Names of sigmas with what makes them, the noiseless end included. */
const SIGMAS: readonly [
  RegExp,
  (golden: GoldenFile, found: number[], group: string) => number[],
][] = [
  [
    new RegExp(`^sigmas/karras_n${NUMBER}_${NUMBER}_${NUMBER}_rho${NUMBER}$`),
    (_, [n, min, max, rho]) => [...powerSpaced(n!, max!, min!, rho!), 0],
  ],
  [
    new RegExp(`^sigmas/exponential_n${NUMBER}_${NUMBER}_${NUMBER}$`),
    (_, [n, min, max]) => [...logSpaced(n!, max!, min!), 0],
  ],
  [new RegExp(`^sigmas/vp_n${NUMBER}$`), (golden, [n], group) => {
    const known = ((golden.manifest.cases as Json)[group] ?? {}) as Record<string, number>;
    const { beta_d: vpBetaD = 19.9, beta_min: vpBetaMin = 0.1, eps_s: least = 1e-3 } = known;
    const times = powerSpaced(n!, 1, least, 1);
    return [...times.map((time) => vpSigma(time, { vpBetaD, vpBetaMin })), 0];
  }],
  [new RegExp(`^sigmas/ddpm_(linear|cosine)${NUMBER}$`), (_, [, timesteps], group) => {
    const schedule = group.includes("linear") ? "linear" : "cosine";
    const made = makeSchedule({ timesteps: timesteps!, schedule, betaStart: 1e-4, betaEnd: 0.02 });
    return [...made.sqrtRecipm1AlphasCumprod];
  }],
];

async function* verifySigmas(golden: GoldenFile, group: string, names: readonly string[]) {
  const known = SIGMAS.find(([pattern]) => pattern.test(group));
  if (!known) throw new Unsupported(`${group} is not known`);
  const [pattern, make] = known;
  const ours = make(golden, pattern.exec(group)!.slice(1).map(Number), group);
  yield* caseOf({ case: group, family: FAMILY, op: "sigmas" }, names, (comparison, done) => {
    const exact = golden.get(group).data;
    for (const name of names) {
      done(name);
      const expected = golden.get(name).data;
      // Small sigmas are recorded as roots of differences of numbers near 1.
      if (name === group) checkTable(comparison, name, ours, exact, 1e-2);
      else checkRounded(comparison, name, ours, expected, exact);
    }
  });
}

async function* verifyPreconditioning(golden: GoldenFile, group: string, names: readonly string[]) {
  const sigmaData = Number(/sd([0-9.]+)$/.exec(group)?.[1]);
  const { at } = edmPreconditioning({ sigmaData }), { weight } = edmDraw({ sigmaData });
  const tables: Readonly<Record<string, (sigma: number) => number>> = {
    sigma: (sigma) => sigma,
    c_skip: (sigma) => at(sigma).skip,
    c_out: (sigma) => at(sigma).output,
    c_in: (sigma) => at(sigma).input,
    c_noise: (sigma) => at(sigma).condition,
    loss_weight: weight,
  };
  const sigmas = Array.from(golden.get(`${group}/sigma`).data);
  yield* caseOf({ case: group, family: FAMILY, op: "precond" }, names, (comparison, done) => {
    for (const name of names) {
      const table = tables[name.slice(group.length + 1)];
      if (!table) continue;
      done(name);
      checkTable(comparison, name, sigmas.map(table), golden.get(name).data);
    }
  });
}

async function* verifyTraining(golden: GoldenFile) {
  const { P_mean: mean = -1.2, P_std: deviation = 1.2 } =
    ((golden.manifest.cases as Json).train ?? {}) as { P_mean?: number; P_std?: number };
  const { sigma } = edmDraw({ mean, deviation });
  const name = { case: "train", family: FAMILY, op: "train" };
  yield* caseOf(name, ["train/sigma"], (comparison, done) => {
    done("train/sigma");
    const ours = Array.from(golden.get("train/normal").data, sigma);
    checkTable(comparison, "train/sigma", ours, golden.get("train/sigma").data);
  });
}

/** A step of DDIM between two sigmas: what is left of the noise, and what is drawn anew. */
function ancestral(from: number, to: number, eta: number): [down: number, up: number] {
  const values = to > 0 ? [to, from] : [from];
  const schedule = continuousSchedule({
    values,
    level: (noise) => ({ signal: 1, noise }),
    condition: (sigma) => sigma,
    place: () => values.toReversed(),
  });
  const process = processOn(schedule, {
    ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: true },
  });
  const [step] = ddimSteps({ steps: values.length, eta, spacing: "uniform" }, process);
  return [step!.fromX * from, step!.noise];
}

async function* verifyAncestral(golden: GoldenFile) {
  const name = { case: "ancestral", family: FAMILY, op: "ancestral" };
  yield* caseOf(name, ["ancestral/down_up"], (comparison, done) => {
    done("ancestral/down_up");
    const { data, shape } = golden.get("ancestral/in_from_to_eta");
    const ours = Array.from(
      { length: shape[0]! },
      (_, i) => ancestral(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!),
    ).flat();
    checkTable(comparison, "ancestral/down_up", ours, golden.get("ancestral/down_up").data, 1e-3);
  });
}
