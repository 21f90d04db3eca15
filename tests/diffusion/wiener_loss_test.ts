import { Graph } from "../../autograd/graph.ts";
import { givenLevels } from "../../autograd/network_inputs.ts";
import { Capture } from "../../device/capture.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { meanOverPoints } from "../../diffusion/bands.ts";
import { unitRings } from "../../diffusion/frequency.ts";
import { Objective } from "../../diffusion/objective.ts";
import type { DiffusionOptions } from "../../diffusion/options.ts";
import { makeProcess, type Process } from "../../diffusion/process.ts";
import { FORWARD_PROCESS_NAMES, forwardOptions } from "../../diffusion/processes/registry.ts";
import { randomNormal } from "../../kernels/process/random.ts";
import { STREAMS } from "../../support/random_streams.ts";
import { wiener, wienerOutput } from "../../metrics/theory/gaussian_modes.ts";
import { assert } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { PLAIN_TRAINING } from "./options.ts";

const PLANE = { height: 8, width: 8 }, T = 40;
const power = (radius: number) => 4 / (1 + Math.round(radius) ** 2);
const spectrum = Array.from({ length: unitRings(8, 8).count }, (_, ring) => power(ring));
const OPTIONS: DiffusionOptions = {
  ...{ timesteps: T, schedule: "linear", betaStart: 2e-3, betaEnd: 0.3, loss: "mse" },
  ...PLAIN_TRAINING,
  ...{ target: "v", variance: "fixedlarge", clipX0: false },
  sampler: { name: "ddpm", steps: null, eta: 0, spacing: "uniform" },
};
const SAMPLES = 1024, RUNS = 4;

/**
 * The loss that the objective logs of a network which is Wiener's filter, and its standard error.
 *
 * @param field A process whose bands the field is made by.
 */
async function logged(process: Process, field: Process, options: DiffusionOptions) {
  const gpu = await testGpu(), fields = field.onGpu(gpu);
  const { bands } = field.banded!;
  const gains = byBand(
    process,
    field,
    (one, row, variance) =>
      wienerOutput(wiener(one.schedule.levels[row]!, variance).gain, one.toX0(row)),
  );
  const roots = Float64Array.from(bands.radii, (radius) => Math.sqrt(power(radius)));
  const capture = new Capture(gpu, "wiener loss"), key = capture.input("key", [4], "u32");
  const stream = STREAMS.samplerNoise, shape = [8, 8, 1];
  const white = randomNormal(capture, key, { samples: SAMPLES, shape, stream });
  const first = capture.constant([SAMPLES], new Uint32Array(SAMPLES), "the only row");
  const x0 = fields.combine(capture, first, [{ share: roots, x: white }]);
  const denoise: Denoiser = (graph, { x, level }) =>
    graph.constant(
      fields.combine(graph.capture, givenLevels(graph, level), [{ share: gains, x: x.ref }]),
    );
  const objective = new Objective(gpu, process, options);
  const { loss } = objective.record(new Graph(capture, { random: key }), {
    ...{ x0, denoise, perSample: true },
  });
  capture.keep(loss.ref);
  const program = await capture.plan(), values: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    program.run({ key: [9, 1, run, 0] });
    values.push(...await program.readF32(loss.ref));
  }
  for (const owned of [program, objective, fields]) owned.destroy();
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, error: Math.sqrt(square / values.length) };
}

/** A table [T, B] of what a band of the field has at each row. */
function byBand(
  process: Process,
  { banded }: Process,
  of: (own: Process, row: number, variance: number) => number,
): Float64Array {
  const { count, radii } = banded!.bands;
  return Float64Array.from({ length: T * count }, (_, at) => {
    const band = at % count;
    const own = process.banded?.processes[band] ?? process;
    return of(own, Math.floor(at / count), power(radii[band]!));
  });
}

/** The same loss in closed form: of v, a v + s e, where Wiener's error of x_0 and of e are one. */
function expected(process: Process, field: Process): number {
  const { bands } = field.banded!;
  const errors = byBand(
    process,
    field,
    (own, row, variance) =>
      wiener(own.schedule.levels[row]!, variance).x0 / own.toX0(row).output ** 2,
  );
  let sum = 0;
  for (let row = 0; row < T; row++) {
    sum += meanOverPoints(bands, (band) => errors[row * bands.count + band]!) / T;
  }
  return sum;
}

for (const name of FORWARD_PROCESS_NAMES) {
  Deno.test(`Objective logs the Wiener loss of a Gaussian field in process ${name}, within its sampling error`, async () => {
    const processOptions = { ...forwardOptions(), spectrum, mean: [0], blurMax: 3 };
    const options: DiffusionOptions = { ...OPTIONS, process: name, processOptions };
    const process = makeProcess(options, PLANE);
    const white = { ...options, process: "power", processOptions: { ...processOptions, power: 0 } };
    const field = process.banded ? process : makeProcess(white as DiffusionOptions, PLANE);
    const { mean, error } = await logged(process, field, options);
    const theory = expected(process, field);
    assert(error / theory < 0.03, `the error must be small: ${error} of ${theory}`);
    assert(Math.abs(mean - theory) < 4 * error, `${mean} is not ${theory} within ${error}`);
  });
}
