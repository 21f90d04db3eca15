import { Graph } from "../../autograd/graph.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { Parameter } from "../../autograd/parameter.ts";
import { Capture } from "../../device/capture.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { stagesOf, UnrolledObjective } from "../../diffusion/unrolled.ts";
import { ddimSteps } from "../../diffusion/samplers/ddim.ts";
import { zeros } from "../../model/init.ts";
import { stageTimesteps } from "../../model/networks/unrolled/chain.ts";
import { seedKey } from "../../support/philox.ts";
import { assert, assertAllClose } from "../support/assert.ts";
import { randomTensor, testGpu } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";

const STAGES = 4, SHAPE = [3, 2, 3, 2], FACTOR = 0.7;

async function options() {
  const { diffusion } = await smokeConfig();
  return { ...diffusion, objective: "unrolled" as const, layerLossFactor: FACTOR };
}

/** The loss in f64 as the source computes it: images against images; networks f_i(x) = w_i x^2. */
function chainLoss(
  levels: readonly { readonly signal: number; readonly noise: number }[],
  [x0, e]: readonly [Float32Array, Float32Array],
  w: readonly number[],
): number {
  const truth = levels.map(({ signal, noise }) =>
    Array.from(x0, (value, k) => signal * value + noise * e[k]!)
  );
  let x = truth.at(-1)!, loss = 0;
  for (let i = levels.length - 1; i >= 0; i--) {
    const A = levels[i]!.signal ** 2, before = i === 0 ? 1 : levels[i - 1]!.signal ** 2;
    const kept = Math.sqrt(before / A);
    const share = Math.sqrt(1 - before) - Math.sqrt(before * (1 - A) / A);
    x = x.map((value, k) => kept * truth[i]![k]! + share * w[i]! * value ** 2);
    const wanted = i === 0 ? x0 : truth[i - 1]!;
    const square = x.reduce((sum, value, k) => sum + (value - wanted[k]!) ** 2, 0);
    loss += FACTOR / A * square / x.length;
  }
  return loss;
}

Deno.test("UnrolledObjective.record() and its gradients are the source's loss in f64", async () => {
  const gpu = await testGpu(), diffusion = await options();
  const process = makeProcess(diffusion);
  const timesteps = stageTimesteps(STAGES, diffusion.timesteps);
  const objective = new UnrolledObjective(gpu, process, diffusion, timesteps);
  const weights = [0.3, -0.2, 0.5, 0.1];
  const parameters = new Map(weights.map((w) => {
    const value = gpu.tensor([1], { data: Float32Array.of(w) }), grad = gpu.tensor([1]);
    return [new Parameter([1], zeros), { value, grad }] as const;
  }));
  const nets = [...parameters.keys()];
  const denoise: Denoiser = (graph, { x, stage }) => mul(mul(x, x), graph.parameter(nets[stage!]!));
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { parameters, random: capture.input("key", [4], "u32") });
  const x0 = randomTensor(gpu, SHAPE);
  const { loss, noise } = objective.record(graph, { x0, denoise });
  const apart = objective.record(graph, { x0, denoise, perSample: true });
  graph.backward(loss, gpu.tensor([], { data: Float32Array.of(1) }));
  for (const tensor of [loss.ref, apart.loss.ref, noise]) capture.keep(tensor);
  const program = await capture.plan();
  program.run({ key: [...seedKey(5), 1, 0] });
  const levels = timesteps.map((t) => process.schedule.levels[t]!);
  const images = [await gpu.readF32(x0), await program.readF32(noise)] as const;
  const at = (w: readonly number[]) => chainLoss(levels, images, w);
  const [found] = await program.readF32(loss.ref);
  assertAllClose([found!], [at(weights)], { rtol: 1e-5 });
  const each = await program.readF32(apart.loss.ref);
  assertAllClose([each.reduce((sum, value) => sum + value, 0) / 3], [at(weights)], { rtol: 1e-5 });
  const step = 1e-5;
  const slopes = weights.map((_, i) => {
    const moved = (by: number) => at(weights.map((w, j) => i === j ? w + by : w));
    return (moved(step) - moved(-step)) / (2 * step);
  });
  const grads = await Promise.all([...parameters.values()].map(({ grad }) => gpu.readF32(grad)));
  assertAllClose(grads.map(([slope]) => slope!), slopes, { rtol: 1e-4, atol: 1e-6 });
  program.destroy();
  objective.destroy();
});

Deno.test("stagesOf() goes on as DDIM without noise over the same levels", async () => {
  const diffusion = await options();
  const process = makeProcess({ ...diffusion, clipX0: false });
  const timesteps = stageTimesteps(STAGES, diffusion.timesteps);
  const stages = stagesOf(process.schedule, timesteps, 1);
  const steps = ddimSteps({ steps: STAGES, eta: 0, spacing: "truncated" }, process);
  const x0 = 0.3, e = -1.1, f = 0.4;
  for (const [i, step] of steps.entries()) {
    const stage = STAGES - 1 - i, { next } = stages[stage]!;
    const { signal, noise } = process.schedule.levels[timesteps[stage]!]!;
    const x = signal * x0 + noise * e, predicted = step.xToX0 * x + step.fToX0 * f;
    const found = next.x0 * x0 + next.noise * e + next.output * f;
    assertAllClose([found], [step.fromX0 * predicted + step.fromX * x + step.fromF * f]);
  }
  assert(steps.length === STAGES);
});
