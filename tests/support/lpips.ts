/**
 * Random weights of LPIPS on AlexNet, under the names of the lpips package.
 *
 * @module
 */
import { writeSafetensors } from "../../formats/safetensors.ts";
import type { LpipsTensor } from "../../metrics/judges/lpips.ts";
import { randomValues } from "./gpu.ts";

/** Convolutions of AlexNet, and whether their inputs are pooled. */
export const LPIPS_LAYERS = [
  { name: "net.slice1.0", ci: 3, co: 64, k: 11, stride: 4, pad: 2, pool: false },
  { name: "net.slice2.3", ci: 64, co: 192, k: 5, stride: 1, pad: 2, pool: true },
  { name: "net.slice3.6", ci: 192, co: 384, k: 3, stride: 1, pad: 1, pool: true },
  { name: "net.slice4.8", ci: 384, co: 256, k: 3, stride: 1, pad: 1, pool: false },
  { name: "net.slice5.10", ci: 256, co: 256, k: 3, stride: 1, pad: 1, pool: false },
];

/** Weights by name. */
export function randomLpips(): Map<string, LpipsTensor> {
  const state = new Map<string, LpipsTensor>();
  LPIPS_LAYERS.forEach(({ name, ci, co, k }, i) => {
    const data = randomValues(co * ci * k * k, i + 1, 1 / Math.sqrt(ci * k * k));
    state.set(`${name}.weight`, { shape: [co, ci, k, k], data });
    state.set(`${name}.bias`, { shape: [co], data: randomValues(co, i + 11, 0.1) });
    const factors = randomValues(co, i + 21).map(Math.abs);
    state.set(`lin${i}.model.1.weight`, { shape: [1, co, 1, 1], data: factors });
  });
  return state;
}

/** The same as a safetensors file. */
export function lpipsFile(): Uint8Array<ArrayBuffer> {
  return writeSafetensors(
    Array.from(
      randomLpips(),
      ([name, { shape, data }]) =>
        [name, { dtype: "F32", shape, data: Float32Array.from(data) }] as const,
    ),
    {},
  );
}
