/**
 * The family objectives: weights, conversions, losses with gradients, noise.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { meanLoss } from "../../autograd/ops/losses.ts";
import { scale } from "../../autograd/ops/scale.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { DIFFUSION, type DiffusionOptions, type TargetName } from "../../diffusion/options.ts";
import { laplaceLogDensity, laplaceOf } from "../../diffusion/noises/laplace.ts";
import { saltPepperChances } from "../../diffusion/noises/salt_pepper.ts";
import { Objective } from "../../diffusion/objective.ts";
import { makePosterior, reverseLogVariance } from "../../diffusion/posterior.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { plusNoise } from "../../diffusion/training_noise.ts";
import { leastAssignment, leastDistances } from "../../kernels/process/assignment.ts";
import type { LossKind } from "../../kernels/reduce/losses.ts";
import { withDefaults } from "../../support/options.ts";
import { caseOf, checkRecorded, checkRounded, checkTable, type Json } from "./feature_checks.ts";
import {
  type CaseResult,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  replay,
  Unsupported,
} from "./golden.ts";
import { verifyBound, verifyLearnedVariance } from "./learned_variance.ts";
import { IMAGE, toTorch } from "./layout.ts";
import { halfLess, imageOf, named, optionsOf, rowsOf, runOn } from "./objective_parts.ts";

const TARGETS: Readonly<Record<string, TargetName>> = {
  pred_noise: "epsilon",
  pred_x0: "x0",
  pred_v: "v",
};

/** Replays the family. */
export async function* verifyObjectives(
  gpu: Gpu,
  golden: GoldenFile,
  others: ReadonlyMap<string, GoldenFile>,
): AsyncGenerator<CaseResult> {
  const groups = new Map<string, string[]>();
  for (const name of golden.names) {
    const group = name.split("/")[0]!;
    groups.set(group, [...groups.get(group) ?? [], name]);
  }
  for (const [group, names] of groups) {
    const verify = GROUPS[group];
    yield* replay(named(group, group), () => {
      if (!verify) throw new Unsupported(`${group} is not known`);
      return verify(gpu, golden, names, others);
    });
  }
}

type VerifyGroup = (
  gpu: Gpu,
  golden: GoldenFile,
  names: readonly string[],
  others: ReadonlyMap<string, GoldenFile>,
) => AsyncIterable<CaseResult>;

const GROUPS: Readonly<Record<string, VerifyGroup>> = {
  minsnr: verifyMinSnr,
  p2: verifyP2,
  conv: verifyConversions,
  ploss: verifyLosses,
  immiscible: verifyImmiscible,
  loss: verifyElementwise,
  gzloss: verifyZooLosses,
  laplace: verifyLaplace,
  learned_variance: verifyLearnedVariance,
  vlb: verifyBound,
};

/** min-SNR of a gamma, or without a limit. */
function minSnr(gamma: string): Partial<DiffusionOptions> {
  const { weightingOptions } = withDefaults(DIFFUSION) as DiffusionOptions;
  const snrGamma = gamma === "off" ? null : Number(gamma);
  return { weighting: "min-snr", weightingOptions: { ...weightingOptions, snrGamma } };
}

async function* verifyMinSnr(_: Gpu, golden: GoldenFile, names: readonly string[]) {
  yield* caseOf(named("minsnr", "weight"), names, (comparison, done) => {
    for (const name of names) {
      const [, target = "", gamma, rounded] =
        /^minsnr\/(\w+)\/(?:gamma)?([\d.]+|off)(\/repo_f32)?$/.exec(name) ?? [];
      if (!gamma || !(target in TARGETS)) continue;
      done(name);
      const { weight } = makeProcess(
        optionsOf(golden, { target: TARGETS[target]!, ...minSnr(gamma) }),
      ).tables;
      const expected = golden.get(name).data, exact = name.replace("/repo_f32", "");
      if (rounded) checkRounded(comparison, name, weight!, expected, golden.get(exact).data);
      else checkTable(comparison, name, weight!, expected);
    }
  });
}

async function* verifyP2(_: Gpu, golden: GoldenFile, names: readonly string[]) {
  yield* caseOf(named("p2", "weight"), names, (comparison, done) => {
    for (const name of names) {
      const [, slip, gamma, k] = /^p2\/(flax_bug_)?gamma([\d.]+?)(?:_k([\d.]+))?$/.exec(name) ?? [];
      if (!gamma) continue;
      done(name);
      const { weightingOptions } = withDefaults(DIFFUSION) as DiffusionOptions;
      const own = { p2Gamma: Number(gamma), p2K: Number(k ?? 1), p2Slip: slip !== undefined };
      const options = {
        weighting: "p2",
        weightingOptions: { ...weightingOptions, ...own },
      } as const;
      const { weight } = makeProcess(optionsOf(golden, options)).tables;
      checkTable(comparison, name, weight!, golden.get(name).data);
    }
  });
}

async function* verifyConversions(gpu: Gpu, golden: GoldenFile, names: readonly string[]) {
  const processes = Object.fromEntries(
    (["epsilon", "x0", "v"] as const).map((target) =>
      [target, makeProcess(optionsOf(golden, { target }))] as const
    ),
  );
  const { schedule } = processes.x0!, posterior = makePosterior(schedule);
  const onGpu = processes.x0!.onGpu(gpu), t = rowsOf(gpu, golden, "conv/t");
  const inputs = Object.fromEntries(
    ["x0", "noise", "x_t", "v"].map((name) => [name, imageOf(gpu, golden, `conv/${name}`)]),
  ) as Record<"x0" | "noise" | "x_t" | "v", TensorRef>;
  const read = (
    { xt, output }: { xt: Float64Array; output: Float64Array },
    f: TensorRef,
  ) => [{ share: xt, x: inputs.x_t }, { share: output, x: f }];
  const found = await runOn(gpu, (capture) => ({
    x_t: onGpu.noised(capture, inputs.x0, inputs.noise, t),
    v: onGpu.combine(capture, t, [
      { share: processes.v!.tables.target.x0, x: inputs.x0 },
      { share: processes.v!.tables.target.noise, x: inputs.noise },
    ]),
    x0_from_v: onGpu.combine(capture, t, read(processes.v!.tables.toX0, inputs.v)),
    x0_from_noise: onGpu.combine(capture, t, read(processes.epsilon!.tables.toX0, inputs.noise)),
    noise_from_x0: onGpu.combine(capture, t, read(processes.x0!.tables.toNoise, inputs.x0)),
    posterior_mean: onGpu.combine(capture, t, [
      { share: posterior.meanFromX0, x: inputs.x0 },
      { share: posterior.meanFromXt, x: inputs.x_t },
    ]),
  }));
  onGpu.destroy();
  const at = (table: Float64Array) => Array.from(golden.get("conv/t").data, (t) => table[t]!);
  const logVariance = reverseLogVariance(schedule, "fixedsmall").map((value, t) =>
    t === 0 ? Math.log(1e-20) : value
  );
  const tables: Readonly<Record<string, number[]>> = {
    posterior_variance: at(posterior.variance),
    posterior_log_variance_clipped: at(logVariance),
  };
  yield* caseOf(named("conv", "conversion"), names, (comparison, done) => {
    for (const name of names) {
      const key = name.slice("conv/".length), expected = golden.get(name);
      if (["x0", "noise", "t"].includes(key)) done(name);
      else if (found[key]) {
        done(name);
        checkRecorded(golden, comparison, name, toTorch(found[key]!, expected.shape, IMAGE));
      } else if (tables[key]) {
        done(name);
        comparison.check(name, tables[key]!, expected.data, formulaBudget(maxAbs(expected.data)));
      }
    }
  });
}

async function* verifyLosses(gpu: Gpu, golden: GoldenFile, names: readonly string[]) {
  yield* caseOf(named("ploss", "p_losses"), names, async (comparison, done) => {
    for (const name of names) {
      if (name === "ploss/offset_noise") done(name);
      const [, target = "", gamma, offset] =
        /^ploss\/(\w+)\/(?:minsnr([\d.]+)|plain)(?:_offset([\d.]+))?$/.exec(name) ?? [];
      if (!(target in TARGETS)) continue;
      done(name);
      const options = optionsOf(golden, { target: TARGETS[target]!, ...minSnr(gamma ?? "off") });
      const objective = new Objective(gpu, makeProcess(options), options);
      const { loss } = await runOn(gpu, (capture) => {
        let noise = imageOf(gpu, golden, "conv/noise");
        if (offset) {
          const { data, shape: [n, c] } = golden.get("ploss/offset_noise");
          const offsets = gpu.tensor([n!, 1, 1, c!], { data: Float32Array.from(data) });
          noise = plusNoise(capture, noise, offsets, Number(offset));
        }
        const { loss } = objective.judge(new Graph(capture, {}), {
          ...{
            x0: imageOf(gpu, golden, "conv/x0"),
            noise,
            timesteps: rowsOf(gpu, golden, "conv/t"),
          },
          ...{ denoise: (graph, { x }) => halfLess(graph, x), perSample: true },
        });
        return { loss: loss.ref };
      });
      objective.destroy();
      checkRecorded(golden, comparison, name, loss!);
    }
  });
}

async function* verifyImmiscible(gpu: Gpu, golden: GoldenFile, names: readonly string[]) {
  const process = makeProcess(optionsOf(golden, {})), onGpu = process.onGpu(gpu);
  const found = await runOn(gpu, (capture) => {
    const x0 = imageOf(gpu, golden, "immiscible/x0"), e = imageOf(gpu, golden, "immiscible/noise");
    const t = rowsOf(gpu, golden, "immiscible/t");
    return {
      assign: leastAssignment(capture, x0, e),
      x_t: onGpu.noised(capture, x0, leastDistances(capture, x0, e), t),
    };
  });
  onGpu.destroy();
  yield* caseOf(named("immiscible", "assignment"), names, (comparison, done) => {
    for (const name of ["x0", "noise", "t"]) done(`immiscible/${name}`);
    done("immiscible/assign");
    comparison.check("immiscible/assign", found.assign!, golden.get("immiscible/assign").data, 0.5);
    if (!golden.has("immiscible/x_t")) return;
    done("immiscible/x_t");
    const expected = golden.get("immiscible/x_t");
    const ours = toTorch(found.x_t!, expected.shape, IMAGE);
    comparison.check("immiscible/x_t", ours, expected.data, formulaBudget(maxAbs(expected.data)));
  });
}

/** Our losses under the recorded names. */
function lossNamed(name: string): { kind: LossKind; turn: number; summed?: boolean } | null {
  const [, kind = "", number = "1"] =
    /^([a-z0-9_]+?)_?(?:beta|delta|c|scale)?([\d.]+)?$/.exec(name) ?? [];
  const turn = Number(number);
  if (name === "l1") return { kind: "l1", turn: 1 };
  if (name === "l2") return { kind: "mse", turn: 1 };
  if (name === "bce_with_logits(target=sigmoid(target))") return { kind: "sigmoid-bce", turn: 1 };
  if (name === "bce_with_logits_raw_target") return { kind: "bce", turn: 1 };
  switch (kind) {
    case "smooth_l1":
      return { kind: "smooth-l1", turn };
    case "huber":
      return { kind: "huber", turn };
    case "pseudo_huber":
      return { kind: "pseudo-huber", turn };
    case "laplace_nll":
      return { kind: "laplace-nll", turn, summed: true };
    default:
      return null;
  }
}

async function* verifyElementwise(gpu: Gpu, golden: GoldenFile, names: readonly string[]) {
  yield* caseOf(named("loss", "loss"), names, async (comparison, done) => {
    for (const name of ["loss/pred", "loss/target"]) done(name);
    const { shape } = golden.get("loss/pred");
    for (const name of names.filter((name) => name.endsWith("/value"))) {
      const loss = lossNamed(name.slice("loss/".length, -"/value".length));
      if (!loss) continue;
      const found = await runOn(gpu, (capture) => {
        const graph = new Graph(capture, {});
        const upload = (name: string) => gpu.tensor([...shape], { data: golden.f32(name) });
        const pred = graph.variable(upload("loss/pred"));
        // Summed over the last axis there: so many times our mean.
        const value = scale(
          meanLoss(pred, graph.constant(upload("loss/target")), loss),
          loss.summed ? shape.at(-1)! : 1,
        );
        const one = gpu.tensor([], { data: Float32Array.of(1) });
        return { value: value.ref, grad: graph.backward(value, one).get(pred)! };
      });
      const grad = name.replace("/value", "/grad");
      done(name);
      done(grad);
      checkRecorded(golden, comparison, name, found.value!);
      if (golden.has(grad)) checkRecorded(golden, comparison, grad, found.grad!);
    }
  });
}

/** The first of GenerativeZoo's schedules that is recorded beside the losses, which they go by. */
function zooSchedule(schedules: GoldenFile | undefined): Partial<DiffusionOptions> {
  const known = Object.entries((schedules?.manifest.cases ?? {}) as Readonly<Record<string, Json>>)
    .find(([name]) => name.startsWith("generativezoo/"));
  const [name, told] = known ?? ["generativezoo/linear1000", {}];
  const { beta_start: betaStart = 1e-4, beta_end: betaEnd = 0.02 } = told as Record<string, number>;
  return {
    ...{ schedule: "linear-torch", betaStart, betaEnd },
    timesteps: Number(/\d+$/.exec(name)?.[0]),
  };
}

async function* verifyZooLosses(
  gpu: Gpu,
  golden: GoldenFile,
  names: readonly string[],
  others: ReadonlyMap<string, GoldenFile>,
) {
  yield* caseOf(named("gzloss", "get_loss"), names, async (comparison, done) => {
    done("gzloss/t");
    for (
      const [name, kind] of Object.entries({ l1: "l1", l2: "mse", huber: "smooth-l1" } as const)
    ) {
      const options: DiffusionOptions = {
        ...optionsOf(golden, {}),
        ...{ ...zooSchedule(others.get("schedules")), loss: kind },
      };
      const objective = new Objective(gpu, makeProcess(options), options);
      const found = await runOn(gpu, (capture) => {
        const { loss, xt } = objective.judge(new Graph(capture, {}), {
          x0: imageOf(gpu, golden, "conv/x0"),
          noise: imageOf(gpu, golden, "conv/noise"),
          timesteps: rowsOf(gpu, golden, "gzloss/t"),
          denoise: (graph, { x }) => halfLess(graph, x),
        });
        return { loss: loss.ref, xt };
      });
      objective.destroy();
      // Their tables are products of a thousand factors in f32.
      const budget = (values: ArrayLike<number>) => 1000 * 2 ** -24 * maxAbs(values);
      const recorded = golden.get("gzloss/x_t");
      done("gzloss/x_t");
      const xt = toTorch(found.xt!, recorded.shape, IMAGE);
      comparison.check("gzloss/x_t", xt, recorded.data, budget(recorded.data));
      if (!golden.has(`gzloss/${name}`)) continue;
      done(`gzloss/${name}`);
      const expected = golden.get(`gzloss/${name}`).data;
      comparison.check(`gzloss/${name}`, found.loss!, expected, budget(expected));
    }
  });
}

async function* verifyLaplace(_: Gpu, golden: GoldenFile, names: readonly string[]) {
  yield* caseOf(named("laplace", "noise"), names, (comparison, done) => {
    done("laplace/u");
    for (const name of names) {
      const [, mean, scale, what] = /^laplace\/loc([-\d.]+)_scale([\d.]+)\/(\w+)$/.exec(name) ?? [];
      const { data, shape } = golden.get(name), columns = shape.at(-1)!;
      const first = Array.from(data).slice(0, columns), second = Array.from(data).slice(columns);
      const loc = Number(mean), b = Number(scale);
      if (what === "from_u") {
        done(name);
        const ours = Array.from(golden.get("laplace/u").data, (u) => laplaceOf(u, loc, b));
        checkTable(comparison, name, ours, data, 1e-3);
      } else if (what === "logpdf_at") {
        done(name);
        checkTable(comparison, name, first.map((x) => laplaceLogDensity(x, loc, b)), second);
      } else if (what === "quantiles") {
        done(name);
        checkTable(comparison, name, first.map((p) => laplaceOf(2 * p - 1, loc, b)), second, 1e-3);
      }
    }
    const moments = (golden.manifest.noise_moments ?? {}) as Json;
    for (const entry of (moments.salt_pepper ?? []) as Json[]) {
      const of = (saltPepperSlip: boolean) =>
        saltPepperChances({
          ...{ salt: Number(entry.salt_proba), pepper: Number(entry.papper_proba), saltPepperSlip },
        });
      for (const [key, slip] of [["as_written", true], ["intended", false]] as const) {
        const { salt, pepper } = of(slip), expected = Object.values(entry[key] as Json) as number[];
        checkTable(comparison, `salt_pepper/${key}`, [salt, pepper], expected);
      }
    }
  });
}
