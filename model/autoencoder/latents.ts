/**
 * Latents as diffusion models have them: shifted and scaled to about unit variance.
 *
 * @module
 */
import type { Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { scale } from "../../autograd/ops/scale.ts";
import type { AutoencoderOptions } from "./options.ts";

type Factors = Pick<AutoencoderOptions, "scalingFactor" | "shiftFactor">;

/** What the encoder gives as the diffusion model has it. */
export function toLatents(z: Tensor, { scalingFactor, shiftFactor }: Factors): Tensor {
  return scale(shiftFactor === null ? z : plus(z, -shiftFactor), scalingFactor);
}

/** The same back, for the decoder. */
export function fromLatents(latents: Tensor, { scalingFactor, shiftFactor }: Factors): Tensor {
  const z = scale(latents, 1 / scalingFactor);
  return shiftFactor === null ? z : plus(z, shiftFactor);
}

function plus(x: Tensor, offset: number): Tensor {
  const { graph } = x;
  const table = graph.capture.table(`offset ${offset}`, [1], () => Float32Array.of(offset));
  return add(x, graph.constant(table));
}
