/**
 * The network of a learned noise schedule under the names of the `state_dict` of lucidrains'
 * `ContinuousTimeGaussianDiffusion`, in which it lies beside the denoising network.
 *
 * @module
 */
import type { LogSnr } from "../log_snr.ts";
import { namedParameters } from "../module.ts";
import { type PytorchParameter, pytorchParameter } from "./pytorch.ts";

const LAYERS = {
  input: "log_snr.net.1.net",
  hidden: "log_snr.net.2.fn.0.net",
  output: "log_snr.net.2.fn.2.net",
} as const;

/** Its tensors; ours are under `logSnr.`. */
export function logSnrNames(network: LogSnr): PytorchParameter[] {
  return Array.from(namedParameters(network), ([name, { shape }]) => {
    const [layer = "", part = ""] = name.split(".");
    const theirs = `${LAYERS[layer as keyof typeof LAYERS]}.${part}`;
    return pytorchParameter(`logSnr.${name}`, theirs, shape, undefined);
  });
}
