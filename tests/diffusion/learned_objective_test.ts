import { Graph, type ParameterSlot } from "../../autograd/graph.ts";
import { levelTensor } from "../../autograd/network_inputs.ts";
import { add } from "../../autograd/ops/add.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { scale } from "../../autograd/ops/scale.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import { Capture } from "../../device/capture.ts";
import { sizeOf } from "../../device/tensor.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { LearnedObjective } from "../../diffusion/learned_objective.ts";
import { DIFFUSION, type DiffusionOptions } from "../../diffusion/options.ts";
import { makeProcess } from "../../diffusion/process.ts";
import {
  type LearnedLogSnr,
  learnedLogSnr,
  LOG_SNR_ENDS,
} from "../../diffusion/schedules/learned.ts";
import { LogSnr } from "../../model/log_snr.ts";
import { namedParameters } from "../../model/module.ts";
import { withDefaults } from "../../support/options.ts";
import { finiteDifference } from "../reference/finite_difference.ts";
import { assertAllClose, assertThrows } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";

const HIDDEN = 5, SHAPE = [3, 3, 5, 2], ROWS = [2, 31, 47], TIMESTEPS = 50;
const PIXELS = sizeOf(SHAPE) / SHAPE[0]!;

/** A network that is told of the level: 0.7 x + 0.05 l x + 0.02 l. */
const DENOISE: Denoiser = (graph, { x, level }) => {
  const told = reshape(levelTensor(graph, level), [SHAPE[0]!, 1, 1, 1]);
  return add(add(scale(x, 0.7), mul(x, scale(told, 0.05))), scale(told, 0.02));
};

function optionsOf(options: Partial<DiffusionOptions>): DiffusionOptions {
  const defaults = withDefaults(DIFFUSION) as DiffusionOptions;
  return { ...defaults, schedule: "learned", timesteps: TIMESTEPS, ...options };
}

/** The parameters side by side, as the host's record of them. */
function learnedOf(values: ArrayLike<number>): LearnedLogSnr {
  const all = Array.from(values), part = (from: number) => all.slice(from, from + HIDDEN);
  return {
    input: [all[0]!, all[1]!],
    hidden: { weight: part(2), bias: part(2 + HIDDEN), output: part(2 + 2 * HIDDEN) },
  };
}

/** The mean loss in f64, by the equations of the module. */
function lossOf(
  options: DiffusionOptions,
  values: ArrayLike<number>,
  x0: Float32Array,
  e: Float32Array,
) {
  const logSnr = learnedLogSnr(learnedOf(values)), { target, weighting } = options;
  let total = 0;
  for (const [n, row] of ROWS.entries()) {
    const l = logSnr(Math.fround((row + 1) / TIMESTEPS)), snr = Math.exp(l);
    const signal = Math.sqrt(snr / (1 + snr)), noise = Math.sqrt(1 / (1 + snr));
    const limited = Math.min(snr, options.weightingOptions.snrGamma ?? Infinity);
    const weight = weighting === "uniform"
      ? 1
      : { epsilon: limited / snr, x0: limited, v: limited / (1 + snr) }[target as "x0"];
    for (let i = n * PIXELS; i < (n + 1) * PIXELS; i++) {
      const x = signal * x0[i]! + noise * e[i]!, found = (0.7 + 0.05 * l) * x + 0.02 * l;
      const wanted = { epsilon: e[i]!, x0: x0[i]!, v: signal * e[i]! - noise * x0[i]! }[
        target as "x0"
      ];
      total += weight * (found - wanted) ** 2 / sizeOf(SHAPE);
    }
  }
  return total;
}

for (const target of ["epsilon", "x0", "v"] as const) {
  for (const weighting of ["uniform", "min-snr"] as const) {
    Deno.test(`LearnedObjective has the f64 loss and its gradient in the schedule, target ${target}, weighting ${weighting}`, async () => {
      const gpu = await testGpu(), options = optionsOf({ target, weighting });
      const x0 = randomValues(sizeOf(SHAPE), 1, 0.5), e = randomValues(sizeOf(SHAPE), 2);
      const network = new LogSnr({ ...LOG_SNR_ENDS, hidden: HIDDEN, gradientShare: 1 });
      const slots = new Map<Parameter, Required<Pick<ParameterSlot, "value" | "grad">>>();
      const values: number[] = [];
      for (const [, parameter] of namedParameters(network)) {
        const own = randomValues(sizeOf(parameter.shape), 10 + slots.size);
        values.push(...own);
        const { shape } = parameter;
        slots.set(parameter, { value: upload(gpu, shape, own), grad: gpu.tensor(shape) });
      }
      const objective = new LearnedObjective(gpu, makeProcess(options), options, network);
      const capture = new Capture(gpu, "test"), graph = new Graph(capture, { parameters: slots });
      const { loss } = objective.judge(graph, {
        ...{ x0: upload(gpu, SHAPE, x0), noise: upload(gpu, SHAPE, e), denoise: DENOISE },
        timesteps: upload(gpu, [ROWS.length], ROWS, "u32"),
      });
      graph.backward(loss);
      capture.keep(loss.ref);
      const program = await capture.plan();
      program.run();
      const reference = (all: Float64Array[]) => [lossOf(options, all[0]!, x0, e)];
      assertAllClose(
        [(await program.readF32(loss.ref))[0]!],
        reference([Float64Array.from(values)]),
        { rtol: 2e-6, atol: 0 },
      );
      const found: number[] = [];
      for (const { grad } of slots.values()) found.push(...await gpu.readF32(grad));
      const expected = finiteDifference(reference, [values], 0, [1]);
      const largest = Math.max(...expected.map(Math.abs));
      assertAllClose(found, expected, { rtol: 0, atol: 1e-5 * largest });
      program.destroy();
      objective.destroy();
    });
  }
}

Deno.test("LearnedObjective refuses targets without a gradient in the level, and self-conditioning", async () => {
  const gpu = await testGpu(),
    network = new LogSnr({ ...LOG_SNR_ENDS, hidden: 2, gradientShare: 1 });
  const score = optionsOf({ target: "score" }), options = optionsOf({});
  assertThrows(
    () => new LearnedObjective(gpu, makeProcess(score), score, network),
    RangeError,
    "diffusion.target must be one of epsilon, x0, v, got score",
  );
  const objective = new LearnedObjective(gpu, makeProcess(options), options, network);
  const x0 = upload(gpu, SHAPE, randomValues(sizeOf(SHAPE)));
  const timesteps = upload(gpu, [3], ROWS, "u32");
  assertThrows(
    () =>
      objective.judge(new Graph(new Capture(gpu, "test")), {
        ...{ x0, noise: x0, timesteps, denoise: DENOISE },
        conditioning: { selfCondition: true },
      }),
    RangeError,
    "model.selfCondition must be false",
  );
  objective.destroy();
});
