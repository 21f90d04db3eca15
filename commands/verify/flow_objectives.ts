/**
 * The family flow-matching: the path, draws of times, and losses with gradients; flow_matching.ts has
 * its solvers.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { compared } from "../../diffusion/loss_quantity.ts";
import { DIFFUSION, type DiffusionOptions, type TargetName } from "../../diffusion/options.ts";
import { type OutputShares, outputToNoise } from "../../diffusion/parameterization.ts";
import { PARAMETERIZATIONS } from "../../diffusion/parameterizations/registry.ts";
import { SIGMA_DATA } from "../../diffusion/preconditionings/edm.ts";
import { type Process, processOn } from "../../diffusion/process.ts";
import { levelOf, type Schedule } from "../../diffusion/schedule.ts";
import { continuousSchedule } from "../../diffusion/schedules/continuous.ts";
import { flowLevel, shiftedTime } from "../../diffusion/schedules/flow.ts";
import { logitNormalShare } from "../../diffusion/timesteps/logit_normal.ts";
import { modeShare } from "../../diffusion/timesteps/mode.ts";
import { cosmapWeight, sigmaSqrtWeight } from "../../diffusion/weightings/sd3.ts";
import { linearCombination } from "../../kernels/process/q_sample.ts";
import { withDefaults } from "../../support/options.ts";
import { Capture } from "../../device/capture.ts";
import { caseOf, checkRecorded, type Json } from "./feature_checks.ts";
import { verifyFlowSolvers } from "./flow_matching.ts";
import { type CaseResult, type GoldenFile, replay, unsupported } from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { checkTinyLoss } from "./tiny_network.ts";

const FAMILY = "flow-matching";
const named = (name: string) => ({ case: name, family: FAMILY, op: name });

/** Replays the family. */
export async function* verifyFlowObjectives(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  const of = (part: string) => golden.names.filter((name) => name.startsWith(`${part}/`));
  yield* replay(named("path"), () => verifyPath(gpu, golden, of("path")));
  yield* replay(named("time"), () => verifyTimes(golden, of("time")));
  yield* replay(named("loss"), () => verifyLosses(gpu, golden, of("loss")));
  yield* verifyFlowSolvers(gpu, golden);
  const known = ["path", "time", "loss", "ode"];
  const others = new Set(golden.names.map((name) => name.split("/")[0]!));
  for (const part of others) {
    if (!known.includes(part)) yield unsupported(named(part), `${part} is not known`);
  }
}

/** Recorded times as rows of a schedule. */
interface Rows {
  readonly values: number[];
  readonly rows: Uint32Array<ArrayBuffer>;
}

function rowsOf(times: ArrayLike<number>): Rows {
  const values = [...new Set(Array.from(times))].sort((a, b) => a - b);
  return { values, rows: Uint32Array.from(times, (time) => values.indexOf(time)) };
}

function flowProcess({ values }: Rows, options: DiffusionOptions): Process {
  const schedule = continuousSchedule({
    ...{ values, largest: 1, level: flowLevel, condition: (time) => time },
    place: () => values.toReversed(),
  });
  return processOn(schedule, options);
}

const defaults = (changes: Partial<DiffusionOptions>): DiffusionOptions => ({
  ...withDefaults(DIFFUSION) as DiffusionOptions,
  ...changes,
});

/** How networks of a target are read at a time, both ends included. */
function readingOf(target: TargetName) {
  const levels = { at: (time: number) => levelOf(flowLevel(time)) };
  const record = PARAMETERIZATIONS[target].on(levels as Schedule, { sigmaData: SIGMA_DATA });
  return {
    target: (time: number) => record.target(time),
    toX0: (time: number) => record.toX0(time),
    toNoise: (time: number) => outputToNoise(levels, record, time),
    velocity(time: number) {
      const read = { toX0: record.toX0(time), toNoise: outputToNoise(levels, record, time) };
      const free = { limit: null, limitTarget: true };
      return compared("velocity", levels.at(time), read, free).prediction;
    },
  };
}

async function* verifyPath(gpu: Gpu, golden: GoldenFile, names: readonly string[]) {
  const times = Array.from(golden.get("path/t").data);
  const capture = new Capture(gpu, "path");
  const image = (name: string) => {
    const { data, shape } = fromTorch(golden.get(`path/${name}`), IMAGE);
    return gpu.tensor(shape, { data, label: name });
  };
  const clean = image("x0"), noise = image("noise"), xt = image("x_t"), v = image("v");
  const rows = gpu.tensor([times.length], { dtype: "u32", data: Uint32Array.from(times.keys()) });
  const table = (share: (time: number) => number) =>
    gpu.tensor([times.length], { data: Float32Array.from(times, share) });
  const read = (shares: (time: number) => OutputShares, f: TensorRef) =>
    linearCombination(capture, rows, [
      { table: table((time) => shares(time).xt), x: xt },
      { table: table((time) => shares(time).output), x: f },
    ]);
  const velocity = readingOf("velocity");
  const found = {
    x_t: linearCombination(capture, rows, [
      { table: table((time) => flowLevel(time).signal), x: clean },
      { table: table((time) => flowLevel(time).noise), x: noise },
    ]),
    v: linearCombination(capture, rows, [
      { table: table((time) => velocity.target(time).x0), x: clean },
      { table: table((time) => velocity.target(time).noise), x: noise },
    ]),
    x0_from_v: read(velocity.toX0, v),
    noise_from_v: read(velocity.toNoise, v),
    v_from_x0: read(readingOf("x0").velocity, clean),
    v_from_noise: read(readingOf("epsilon").velocity, noise),
  };
  for (const tensor of Object.values(found)) capture.keep(tensor);
  const program = await capture.plan();
  program.run();
  const cases = (golden.manifest.cases as Json).path as Json;
  yield* caseOf(named("path"), names, async (comparison, done) => {
    for (const input of ["x0", "noise", "t"]) done(`path/${input}`);
    for (const [key, tensor] of Object.entries(found)) {
      const name = `path/${key}`;
      if (!golden.has(name)) continue;
      done(name);
      const values = await program.readF32(tensor), { shape } = golden.get("path/x_t");
      const all = Array.from(toTorch(values, shape, IMAGE)), size = all.length / shape[0]!;
      // Some are recorded of the rows alone where they can be told.
      const kept = (cases[`${key}_rows`] ?? [...Array(shape[0]!).keys()]) as number[];
      const ours = kept.flatMap((row) => all.slice(row * size, (row + 1) * size));
      checkRecorded(golden, comparison, name, ours);
    }
  });
  program.destroy();
}

async function* verifyTimes(golden: GoldenFile, names: readonly string[]) {
  const { logit_normal: normals, mode_scale: scale, shift: shifts } =
    (golden.manifest.cases as Json).time as {
      logit_normal: { mean: number; std: number }[];
      mode_scale: number;
      shift: number[];
    };
  const from = (input: string, value: (x: number) => number) =>
    Array.from(golden.get(`time/${input}`).data, value);
  const known: Record<string, number[]> = {
    mode: from("uniform", (u) => modeShare(u, scale)),
    weight_sigma_sqrt: from("uniform", sigmaSqrtWeight),
    weight_cosmap: from("uniform", cosmapWeight),
    weight_none: from("uniform", () => 1),
  };
  normals.forEach(({ mean: logitMean, std: logitDeviation }, i) => {
    known[`logit_normal${i}`] = from(
      "normal",
      (normal) => logitNormalShare(normal, { logitMean, logitDeviation }),
    );
  });
  shifts.forEach((shift, i) => {
    known[`shift${i}`] = from("uniform", (u) => shiftedTime(u, shift));
  });
  yield* caseOf(named("time"), names, (comparison, done) => {
    for (const input of ["normal", "uniform"]) done(`time/${input}`);
    for (const [key, values] of Object.entries(known)) {
      if (!golden.has(`time/${key}`)) continue;
      done(`time/${key}`);
      checkRecorded(golden, comparison, `time/${key}`, values);
    }
  });
}

/** How each recorded loss is named here; `limit` is 1 / t_eps, `huber` the c of v_huber. */
function lossOptions(
  limit: number,
  huber: number,
): Readonly<Record<string, Partial<DiffusionOptions>>> {
  const inVelocity = { lossOn: "velocity", lossLimit: limit } as const;
  return {
    v: { target: "velocity" },
    x_v: { target: "x0", ...inVelocity },
    x_v_plain_target: { target: "x0", ...inVelocity, lossLimitTarget: false },
    eps_v: { target: "epsilon", ...inVelocity, lossLimitTarget: false },
    v_huber: { target: "velocity", loss: "norm-huber", lossScale: huber },
    sd3_precondition: { target: "velocity", lossOn: "x0", lossLimit: null, weighting: "cosmap" },
  };
}

async function* verifyLosses(gpu: Gpu, golden: GoldenFile, names: readonly string[]) {
  const { t_eps: least, huber_c: huber } = (golden.manifest.cases as Json).loss as {
    t_eps: number;
    huber_c: number;
  };
  const rows = rowsOf(golden.get("loss/t").data), known = lossOptions(1 / least, huber);
  const inputs = names.filter((name) => /^loss\/(param\/.*|x0|noise|t)$/.test(name));
  yield* caseOf(named("loss"), names, async (comparison, done) => {
    for (const [key, changes] of Object.entries(known)) {
      if (!names.some((name) => name.startsWith(`loss/${key}/`))) continue;
      const options = defaults(changes);
      const tiny = {
        ...{ golden, inputs: "loss/", rows: rows.rows, parameters: "loss/param/", scale: 1 },
        ...{ results: `loss/${key}/`, gradients: "" },
      };
      const process = flowProcess(rows, options);
      (await checkTinyLoss(gpu, comparison, process, options, tiny)).forEach(done);
    }
    inputs.forEach(done);
  });
}
