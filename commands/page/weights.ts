/**
 * The averaged weights of a checkpoint alone, in the numbers that the page fetches.
 *
 * @module
 */
import { toHalf } from "../../formats/half.ts";
import { safetensorsHeader } from "../../formats/safetensors.ts";
import { type Module, namedParameters } from "../../model/module.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { EMA_PREFIX } from "../../training/state.ts";
import type { WeightsDtype } from "./site.ts";

/**
 * A safetensors file in pieces: the parameters by their own names, in the layouts of this project.
 *
 * @throws {Error} When the checkpoint lacks one.
 */
export async function* weightsChunks(
  checkpoint: Checkpoint,
  network: Module,
  dtype: WeightsDtype,
): AsyncGenerator<Uint8Array> {
  const parameters = [...namedParameters(network)];
  const { step, config } = checkpoint;
  yield safetensorsHeader(
    parameters.map(([name, { shape }]) => [name, { dtype, shape }] as const),
    { format: "diffract weights 1", step: String(step), config },
  );
  for (const [name, { shape }] of parameters) {
    const values = await checkpoint.read(`${EMA_PREFIX}${name}`, shape);
    const { buffer } = dtype === "F32" ? values : toHalf(values, dtype);
    yield new Uint8Array(buffer);
  }
}
