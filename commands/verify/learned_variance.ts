/**
 * The learned variance of the family objectives: its hybrid loss, and the terms of its bound.
 *
 * @module
 */
import { concat } from "../../autograd/ops/concat.ts";
import { Graph } from "../../autograd/graph.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { Objective } from "../../diffusion/objective.ts";
import { learnedLogVariances, LEAST_VARIANCE, makePosterior } from "../../diffusion/posterior.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { clipForward } from "../../kernels/elementwise/clip.ts";
import { noiseOfVariance, varianceScalars } from "../../kernels/process/chosen_variance.ts";
import { boundForward, boundTable } from "../../kernels/process/variational_bound.ts";
import { caseOf, checkRecorded, type Json } from "./feature_checks.ts";
import { budgetOf, type GoldenFile, Unsupported } from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { halfLess, imageOf, named, optionsOn, rowsOf, runOn } from "./objective_parts.ts";

/** The recorded options, which are in the text of what was recorded. */
function optionsOf(golden: GoldenFile) {
  const text = String((golden.manifest.what as Json | undefined)?.["learned_variance/*"]);
  const [, schedule, weight] = /\((\w+ T=\d+), vb_loss_weight ([\d.e-]+)\)/.exec(text) ?? [];
  if (!schedule) throw new Unsupported(`its options are not known: ${text}`);
  const options = optionsOn(`lucid ${schedule}`, {
    ...{ target: "epsilon", variance: "learned-range", vlbFloor: LEAST_VARIANCE },
  });
  // There a sample's term counts, not the sum over timesteps that it stands for.
  return { ...options, vlbWeight: Number(weight) / options.timesteps };
}

/** The hybrid loss of the recorded stand-in for a network, and what it says of a step. */
export async function* verifyLearnedVariance(
  gpu: Gpu,
  golden: GoldenFile,
  names: readonly string[],
) {
  const at = (name: string) => `learned_variance/${name}`;
  const options = optionsOf(golden), process = makeProcess(options);
  const { schedule, tables: { toX0 } } = process, posterior = makePosterior(schedule);
  const objective = new Objective(gpu, process, options), onGpu = process.onGpu(gpu);
  // WGSL promises little of a sine.
  const { data: xs, shape } = fromTorch(golden.get(at("x_t")), IMAGE);
  const sines = gpu.tensor(shape, { data: Float32Array.from(xs, (x) => Math.sin(3 * x)) });
  const ones = gpu.tensor([1, ...shape.slice(1)], {
    data: new Float32Array(sines.shape.slice(1).reduce((a, b) => a * b, 1)).fill(1),
  });
  const denoise: Denoiser = (graph, { x }) => concat(halfLess(graph, x), graph.constant(sines));
  const timesteps = rowsOf(gpu, golden, at("t"));
  const found = await runOn(gpu, (capture) => {
    const x0 = imageOf(gpu, golden, "conv/x0"), noise = imageOf(gpu, golden, "conv/noise");
    const graph = new Graph(capture, {});
    const { loss, xt, prediction } = objective.judge(graph, {
      ...{ x0, noise, timesteps, denoise, perSample: true },
    });
    const clean = onGpu.combine(capture, timesteps, [
      { share: toX0.xt, x: xt },
      { share: toX0.output, x: prediction.ref },
    ]);
    const mean = onGpu.combine(capture, timesteps, [
      { share: posterior.meanFromX0, x: clipForward(capture, clean, 1) },
      { share: posterior.meanFromXt, x: xt },
    ]);
    return { loss: loss.ref, x_t: xt, mean_clipped: mean };
  });
  const deviations = await runOn(gpu, (capture) => {
    const ranges = learnedLogVariances(schedule, "learned-range", LEAST_VARIANCE);
    const size = ones.shape.reduce((a, b) => a * b, 1);
    return Object.fromEntries(Array.from(golden.get(at("t")).data, (t, n) => {
      const v = gpu.tensor([...ones.shape], {
        data: Float32Array.from(
          xs.slice(n * size, (n + 1) * size) as ArrayLike<number>,
          (x) => Math.sin(3 * x),
        ),
      });
      const scalars = gpu.tensor([3], { data: varianceScalars(ranges[t]!) });
      return [n, noiseOfVariance(capture, ones, v, scalars)];
    }));
  });
  onGpu.destroy();
  objective.destroy();
  const logVariance = Float32Array.from(
    Object.values(deviations).flatMap((values) => Array.from(values, (s) => 2 * Math.log(s))),
  );
  yield* caseOf(named("learned_variance", "hybrid loss"), names, (comparison, done) => {
    for (const name of ["t", "loss_f64"]) done(at(name));
    for (const [name, values] of Object.entries({ ...found, log_variance: logVariance })) {
      if (!golden.has(at(name))) continue;
      done(at(name));
      const expected = golden.get(at(name));
      const ours = name === "loss" ? values : toTorch(values, expected.shape, IMAGE);
      checkRecorded(golden, comparison, at(name), ours);
    }
    if (!golden.has(at("loss_f64"))) return;
    const errors = (golden.manifest.max_abs_f32_vs_f64 ?? {}) as Record<string, Json>;
    const { max_abs_f32_vs_f64: e = 0, scale_absmax_f64: s = 0 } = errors[at("loss")] ?? {};
    const exact = golden.get(at("loss_f64")).data;
    comparison.check(at("loss_f64"), found.loss!, exact, budgetOf(Number(e), Number(s)));
  });
}

/** The terms of the bound, each value a sample of its own. */
export async function* verifyBound(gpu: Gpu, golden: GoldenFile, names: readonly string[]) {
  const values = (name: string) => Array.from(golden.get(`vlb/${name}`).data);
  const terms = (
    given: Readonly<Record<"x0" | "clean" | "logVariance", number[]>>,
    row: { readonly posterior: number[]; readonly last: boolean },
  ) =>
    runOn(gpu, (capture) => {
      const upload = (data: number[]) =>
        gpu.tensor([data.length], { data: Float32Array.from(data) });
      const rows = row.posterior.map((posterior) => ({
        ...{ meanFromX0: 1, posterior, middle: 0, half: 1, last: row.last },
      }));
      const data = boundTable(rows);
      const found = boundForward(capture, {
        ...{ x0: upload(given.x0), clean: upload(given.clean), v: upload(given.logVariance) },
        timesteps: gpu.tensor([rows.length], { dtype: "u32", data: Uint32Array.from(rows.keys()) }),
        table: gpu.tensor([data.length], { data }),
      });
      return { found };
    });
  yield* caseOf(named("vlb", "variational bound"), names, async (comparison, done) => {
    const check = (inputs: readonly string[], name: string, found: ArrayLike<number>) => {
      for (const input of [...inputs, name]) done(`vlb/${input}`);
      checkRecorded(golden, comparison, `vlb/${name}`, found);
    };
    if (golden.has("vlb/normal_kl_nats")) {
      const { found } = await terms({
        ...{ x0: values("mean1"), clean: values("mean2"), logVariance: values("logvar2") },
      }, { posterior: values("logvar1"), last: false });
      const inputs = ["mean1", "mean2", "logvar1", "logvar2"];
      check(inputs, "normal_kl_nats", found!);
    }
    if (golden.has("vlb/discretized_gaussian_log_likelihood")) {
      const x0 = values("x"), logVariance = values("log_scales").map((scale) => 2 * scale);
      const { found } = await terms({ x0, clean: values("means"), logVariance }, {
        ...{ posterior: x0.map(() => 0), last: true },
      });
      const name = "discretized_gaussian_log_likelihood";
      check(["x", "means", "log_scales"], name, found!.map((nats) => -nats));
    }
  });
}
