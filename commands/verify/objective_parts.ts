/**
 * What the cases of the family objectives have in common.
 *
 * @module
 */
import type { Graph, Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { scale } from "../../autograd/ops/scale.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { DIFFUSION, type DiffusionOptions } from "../../diffusion/options.ts";
import { withDefaults } from "../../support/options.ts";
import { type GoldenFile, Unsupported } from "./golden.ts";
import { fromTorch, IMAGE } from "./layout.ts";

/** The family. */
export const FAMILY = "objectives";
/** A case of it. */
export const named = (name: string, op: string) => ({ case: name, family: FAMILY, op });

/** Options of a config on the recorded schedule, "lucid cosine T=1000". */
export function optionsOf(
  golden: GoldenFile,
  changes: Partial<DiffusionOptions>,
): DiffusionOptions {
  return optionsOn(String(golden.manifest.schedule), changes);
}

/** The same on a schedule by its name. */
export function optionsOn(text: string, changes: Partial<DiffusionOptions>): DiffusionOptions {
  const [, kind, timesteps] = /^lucid (cosine|linear|sigmoid) T=(\d+)$/.exec(text) ?? [];
  if (!kind) throw new Unsupported(`schedule ${text} is not known`);
  const defaults = withDefaults(DIFFUSION) as DiffusionOptions;
  return {
    ...defaults,
    schedule: kind === "linear" ? "linear-scaled" : kind as "cosine",
    timesteps: Number(timesteps),
    ...changes,
  };
}

/** Runs a capture and reads what it kept, as PyTorch has it. */
export async function runOn(
  gpu: Gpu,
  record: (capture: Capture) => Readonly<Record<string, TensorRef>>,
): Promise<Readonly<Record<string, Float32Array>>> {
  const capture = new Capture(gpu, FAMILY);
  const found = record(capture);
  for (const tensor of Object.values(found)) capture.keep(tensor);
  const program = await capture.plan();
  program.run();
  const read: [string, Float32Array][] = [];
  for (const [name, tensor] of Object.entries(found)) {
    const values = tensor.dtype === "u32"
      ? Float32Array.from(await program.read(tensor))
      : await program.readF32(tensor);
    read.push([name, values]);
  }
  program.destroy();
  return Object.fromEntries(read);
}

/** Recorded images on the GPU. */
export function imageOf(gpu: Gpu, golden: GoldenFile, name: string): TensorRef {
  const { data, shape } = fromTorch(golden.get(name), IMAGE);
  return gpu.tensor(shape, { data, label: name });
}

/** Recorded timesteps on the GPU. */
export function rowsOf(gpu: Gpu, golden: GoldenFile, name: string): TensorRef {
  const data = Uint32Array.from(golden.get(name).data);
  return gpu.tensor([data.length], { dtype: "u32", data, label: name });
}

/** The stand-in for a network: 0.5 x - 0.1. */
export function halfLess(graph: Graph, x: Tensor): Tensor {
  const { capture } = graph;
  const shift = capture.gpu.tensor([1], { data: Float32Array.of(-0.1), label: "shift" });
  return add(scale(x, 0.5), graph.constant(shift));
}
