/**
 * The stand-in for a network that recorded objectives are taken through, pixel by pixel:
 *
 *     out = W2 tanh(W1 x + b1 + c1 t) + b2
 *
 * @module
 */
import { Graph, type ParameterSlot, type Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { linear } from "../../autograd/ops/matmul.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { type JudgedInputs, Objective, type ObjectiveTensors } from "../../diffusion/objective.ts";
import type { DiffusionOptions } from "../../diffusion/options.ts";
import type { Process } from "../../diffusion/process.ts";
import { definePointwise, pointwise } from "../../kernels/shared/pointwise.ts";
import { levelNumbers } from "../../model/level_numbers.ts";
import { checkRecorded } from "./feature_checks.ts";
import type { Comparison, GoldenFile } from "./golden.ts";
import { fromTorch, IMAGE, LINEAR, toTorch } from "./layout.ts";

// Through the exponential of -2 |x|, which is accurate and cannot overflow.
const forward = definePointwise({
  name: "tanh",
  inputs: ["x"],
  result: "sign(x) * (1.0 - exp(-2.0 * abs(x))) / (1.0 + exp(-2.0 * abs(x)))",
});
const backward = definePointwise({
  name: "tanhBackward",
  inputs: ["y", "dy"],
  result: "dy * (1.0 - y * y)",
});

function tanh(x: Tensor): Tensor {
  const { capture } = x.graph;
  const y = pointwise(capture, forward, { x: x.ref }, {});
  return x.graph.record({
    op: "tanh",
    inputs: [x],
    output: y,
    backward: (dy) => [pointwise(capture, backward, { y, dy }, {})],
  });
}

/** Counted timesteps that are recorded, at most. */
const TIMESTEPS = 1000;

/** Its parameters by name. */
const LAYOUTS = { W1: LINEAR, b1: null, c1: null, W2: LINEAR, b2: null } as const;
type Name = keyof typeof LAYOUTS;
const NAMES = Object.keys(LAYOUTS) as Name[];

/** The network with its recorded parameters. */
export interface TinyNetwork {
  readonly denoise: Denoiser;
  readonly parameters: Readonly<Record<Name, Tensor>>;
}

/**
 * The network on a graph.
 *
 * @param prefix Of its parameters' names: "loss/param/".
 * @param scale Of what it is told.
 */
export function tinyNetwork(
  graph: Graph,
  golden: GoldenFile,
  prefix: string,
  scale: number,
): TinyNetwork {
  const { gpu } = graph.capture;
  const parameters = Object.fromEntries(NAMES.map((name) => {
    const { data, shape } = fromTorch(golden.get(`${prefix}${name}`), LAYOUTS[name]);
    return [name, graph.variable(gpu.tensor(shape, { data, label: name }))];
  })) as Record<Name, Tensor>;
  const { W1, b1, c1, W2, b2 } = parameters;
  const factor = gpu.tensor([1], { data: Float32Array.of(scale), label: "scale" });
  return {
    parameters,
    denoise(graph, { x, level }) {
      const told = reshape(levelNumbers(graph, level, TIMESTEPS), [level.shape[0]!, 1, 1, 1]);
      const perImage = mul(c1, mul(told, graph.constant(factor)));
      return linear(tanh(add(linear(x, W1, b1), perImage)), W2, b2);
    },
  };
}

/** What a recorded loss is taken of. */
export interface TinyCase {
  readonly golden: GoldenFile;
  /** Names of images, noise and times: "loss/", with "x0", "noise". */
  readonly inputs: string;
  readonly rows: Uint32Array<ArrayBuffer>;
  /** Of the parameters: "loss/param/". */
  readonly parameters: string;
  /** Of the results, with `per_sample`, `loss` and `grad/`: "loss/v/". */
  readonly results: string;
  /** Between "grad/" and a parameter's name. */
  readonly gradients: string;
  readonly scale: number;
  /** Parameters of the objective itself, by the names of their gradients after "grad/". */
  readonly own?: ReadonlyMap<string, OwnParameter>;
}

/** Where a parameter of an objective and its gradient are. */
export interface OwnParameter {
  readonly parameter: Parameter;
  readonly slot: Required<Pick<ParameterSlot, "value" | "grad">>;
}

/** An objective that takes given timesteps and noise. */
export interface Judge {
  judge(graph: Graph, inputs: JudgedInputs): ObjectiveTensors;
  destroy(): void;
}

/** Replays a loss and its gradients on the GPU; gives the names that it has compared. */
export async function checkTinyLoss(
  gpu: Gpu,
  comparison: Comparison,
  process: Process,
  options: DiffusionOptions,
  tiny: TinyCase,
  objective: Judge = new Objective(gpu, process, options),
): Promise<string[]> {
  const { golden, rows, own = new Map<string, OwnParameter>() } = tiny, compared: string[] = [];
  const parameters = new Map(Array.from(own.values(), ({ parameter, slot }) => [parameter, slot]));
  const run = async (perSample: boolean) => {
    const capture = new Capture(gpu, tiny.results), graph = new Graph(capture, { parameters });
    const network = tinyNetwork(graph, golden, tiny.parameters, tiny.scale);
    const image = (name: string) => {
      const { data, shape } = fromTorch(golden.get(`${tiny.inputs}${name}`), IMAGE);
      return gpu.tensor(shape, { data, label: name });
    };
    const { loss } = objective.judge(graph, {
      ...{ x0: image("x0"), noise: image("noise"), denoise: network.denoise, perSample },
      timesteps: gpu.tensor([rows.length], { dtype: "u32", data: rows }),
    });
    const found: Record<string, TensorRef> = { loss: loss.ref };
    if (!perSample) {
      const one = gpu.tensor([], { data: Float32Array.of(1) });
      const grads = graph.backward(loss, one);
      for (const name of NAMES) found[name] = grads.get(network.parameters[name])!;
      for (const [name, { slot }] of own) found[name] = slot.grad;
    }
    for (const tensor of Object.values(found)) capture.keep(tensor);
    const program = await capture.plan();
    program.run();
    const values = new Map<string, Float32Array>();
    for (const [name, tensor] of Object.entries(found)) {
      values.set(name, await program.readF32(tensor));
    }
    program.destroy();
    return values;
  };
  const check = (name: string, values: ArrayLike<number>) => {
    if (!golden.has(name)) return;
    compared.push(name);
    checkRecorded(golden, comparison, name, values);
  };
  check(`${tiny.results}per_sample`, (await run(true)).get("loss")!);
  const whole = await run(false);
  check(`${tiny.results}loss`, whole.get("loss")!);
  for (const name of NAMES) {
    const recorded = `${tiny.results}grad/${tiny.gradients}${name}`;
    if (!golden.has(recorded)) continue;
    check(recorded, toTorch(whole.get(name)!, golden.get(recorded).shape, LAYOUTS[name]));
  }
  for (const name of own.keys()) check(`${tiny.results}grad/${name}`, whole.get(name)!);
  objective.destroy();
  return compared;
}
