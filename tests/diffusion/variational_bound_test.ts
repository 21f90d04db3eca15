import { Graph } from "../../autograd/graph.ts";
import { concat } from "../../autograd/ops/concat.ts";
import { type Override, parseConfig } from "../../config/load.ts";
import { Capture } from "../../device/capture.ts";
import type {
  DiffusionOptions,
  LearnedVariance,
  ReverseVariance,
} from "../../diffusion/options.ts";
import { Objective } from "../../diffusion/objective.ts";
import { isLearned, learnedLogVariances, makePosterior } from "../../diffusion/posterior.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { ancestralSteps } from "../../diffusion/samplers/ddpm.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";
import { PLAIN_TRAINING } from "./options.ts";

const SHAPE = [4, 3, 5, 2], LENGTH = 30, T = 12, TIMESTEPS = [1, 5, 11, 3];
const X0 = randomValues(4 * LENGTH, 1, 0.4), E = randomValues(4 * LENGTH, 2);
const F = randomValues(4 * LENGTH, 3), V = randomValues(4 * LENGTH, 4, 0.7);

function optionsOf(variance: ReverseVariance, vlbWeight = 0.05): DiffusionOptions {
  return {
    ...PLAIN_TRAINING,
    ...{ schedule: "linear", timesteps: T, betaStart: 0.01, betaEnd: 0.3, target: "epsilon" },
    ...{ loss: "mse", variance, clipX0: true, vlbWeight },
    sampler: { name: "ddpm", steps: null, eta: 0, spacing: "uniform" },
  };
}

/** Loss a sample, and gradients of its sum in the prediction and the variance. */
async function judge(variance: ReverseVariance, plain = false) {
  const gpu = await testGpu(), options = optionsOf(variance);
  const objective = new Objective(gpu, makeProcess(options), options);
  const capture = new Capture(gpu, "test"), graph = new Graph(capture, {});
  const f = graph.variable(upload(gpu, SHAPE, F)), v = graph.variable(upload(gpu, SHAPE, V));
  const { loss } = objective.judge(graph, {
    ...{ x0: upload(gpu, SHAPE, X0), noise: upload(gpu, SHAPE, E), perSample: true, plain },
    timesteps: gpu.tensor([4], { dtype: "u32", data: Uint32Array.from(TIMESTEPS) }),
    denoise: () => isLearned(variance) && !plain ? concat(f, v) : f,
  });
  const grads = graph.backward(loss, upload(gpu, [4], [1, 1, 1, 1]));
  const kept = [loss.ref, grads.get(f)!, ...grads.get(v) ? [grads.get(v)!] : []];
  for (const tensor of kept) capture.keep(tensor);
  const program = await capture.plan();
  program.run();
  const [found, inF, inV] = await Promise.all(kept.map((tensor) => program.readF32(tensor)));
  const dispatches = capture.dispatches.length;
  program.destroy();
  objective.destroy();
  return { loss: found!, inF: inF!, inV, dispatches };
}

/** T times each sample's divergence in bits a value, in f64, from the two means. */
function divergences(variance: LearnedVariance): number[] {
  const { schedule } = makeProcess(optionsOf(variance));
  const { meanFromX0, meanFromXt, variance: posterior } = makePosterior(schedule);
  const ranges = learnedLogVariances(schedule, variance);
  return TIMESTEPS.map((t, n) => {
    const a = schedule.alphasCumprod[t]!, [least, most] = ranges[t]!;
    let sum = 0;
    for (let i = n * LENGTH; i < (n + 1) * LENGTH; i++) {
      const xt = Math.sqrt(a) * X0[i]! + Math.sqrt(1 - a) * E[i]!;
      const clean = (xt - Math.sqrt(1 - a) * F[i]!) / Math.sqrt(a);
      const mean = (x0: number) => meanFromX0[t]! * x0 + meanFromXt[t]! * xt;
      const l = least + (V[i]! + 1) / 2 * (most - least), own = Math.log(posterior[t]!);
      const d = mean(X0[i]!) - mean(clean);
      sum += 0.5 * (l - own - 1 + Math.exp(own - l) + d * d / Math.exp(l));
    }
    return T * sum / LENGTH / Math.LN2;
  });
}

for (const variance of ["learned-range", "learned"] as const) {
  Deno.test(`Objective.judge() adds the bound of a ${variance} variance to the loss alone`, async () => {
    const plain = await judge("fixedlarge"), hybrid = await judge(variance);
    const bound = divergences(variance);
    assertAllClose(hybrid.loss, plain.loss.map((loss, n) => loss + 0.05 * bound[n]!), {
      rtol: 1e-4,
    });
    // The prediction learns nothing of the bound.
    assertEquals(hybrid.inF, plain.inF);
    assert(hybrid.inV!.some((slope) => Math.abs(slope) > 1e-6));
    assertEquals(plain.inV, undefined);
  });
}

Deno.test("Objective.judge() leaves the bound out of a plain loss", async () => {
  const fixed = await judge("fixedlarge", true), learned = await judge("learned-range", true);
  assertEquals(learned.loss, fixed.loss);
  assertEquals(learned.dispatches, fixed.dispatches);
});

Deno.test("learnedLogVariances() lie between the posterior's and beta, and start at a floor", () => {
  const { schedule } = makeProcess(optionsOf("learned-range"));
  const { variance } = makePosterior(schedule);
  const ranges = learnedLogVariances(schedule, "learned-range");
  assertAllClose(ranges.map(([, most]) => Math.exp(most)), schedule.betas);
  assertAllClose(ranges.map(([least]) => Math.exp(least)), variance.with(0, variance[1]!));
  const [first, ...rest] = learnedLogVariances(schedule, "learned-range", 1e-20);
  assertAllClose([first![0]], [Math.log(1e-20)]);
  assertEquals(rest, ranges.slice(1));
});

Deno.test("ancestralSteps() leave a learned variance to the network but for the last step", () => {
  const process = makeProcess(optionsOf("learned-range"));
  const ranges = learnedLogVariances(process.schedule, "learned-range");
  const steps = ancestralSteps({ steps: null }, process);
  const choices = steps.map(({ noise, chosenVariance }) => ({ noise, chosenVariance }));
  assertEquals(choices, [
    ...ranges.slice(1).reverse().map((chosenVariance) => ({ noise: 1, chosenVariance })),
    { noise: 0, chosenVariance: undefined },
  ]);
});

Deno.test("parseConfig() refuses a learned variance that the network or the noise does not go with", () => {
  const refused = (overrides: readonly Override[], message: string) =>
    assertThrows(() => parseConfig("{}", { path: "x.json", overrides }), UsageError, message);
  const learned: Override = ["diffusion.variance", "learned-range"];
  refused([learned], "model ho2020 gives none as it is");
  const dit: Override[] = [["model.name", "dit"], ["model.learnSigma", "true"]];
  refused(
    [...dit, learned, ["diffusion.noise.name", "laplace"]],
    "where the noise is not gaussian",
  );
  parseConfig("{}", { path: "x.json", overrides: [...dit, learned] });
});
