/**
 * The network under the names of `FullUNet` of xianyingkong/dsc-capstone-b05.
 *
 * @module
 */
import { namedParameters } from "../../module.ts";
import { type PytorchEntry, pytorchParameter } from "../../names/pytorch.ts";
import type { FullUNet } from "./unet.ts";

/** A block and its layers of time: ours, then theirs. */
function* block(ours: string, theirs: string, time: string): Generator<[string, string]> {
  yield [`${ours}.time.first`, `${time}.0`];
  yield [`${ours}.time.second`, `${time}.2`];
  for (const unit of [0, 1]) {
    yield [`${ours}.units.${unit}.conv`, `${theirs}.${unit}.conv`];
    yield [`${ours}.units.${unit}.norm`, `${theirs}.${unit}.bn`];
  }
}

function* layers({ down, up }: FullUNet): Generator<[string, string]> {
  const middle = down.length - 1;
  for (const level of down.keys()) {
    const name = level === middle ? "_mid" : `${level + 1}`;
    yield* block(`down.${level}`, `b${name}`, `te${name}`);
  }
  for (const i of up.keys()) {
    yield [`doubles.${i}`, `up${i + 1}`];
    yield* block(`up.${i}`, `b${middle + 1 + i}`, `te${middle + 1 + i}`);
  }
  yield ["tail", "conv_out"];
}

/** Ours and theirs of a layer. */
const PARTS = [
  ["weight", "weight"],
  ["bias", "bias"],
  ["runningMean", "running_mean"],
  ["runningVariance", "running_var"],
] as const;

/** Every tensor of the `state_dict`, in its order. */
export function fullNames(network: FullUNet): PytorchEntry[] {
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const { options: { timeChannels }, shape: { timesteps } } = network;
  const constant = (pytorchName: string, pytorchShape: readonly number[]): PytorchEntry => ({
    kind: "constant",
    pytorchName,
    pytorchShape,
  });
  const entries = [constant("time_embed.weight", [timesteps, timeChannels])];
  for (const [ours, theirs] of layers(network)) {
    for (const [own, part] of PARTS) {
      const name = `${ours}.${own}`, shape = shapes.get(name);
      if (shape) entries.push(pytorchParameter(name, `${theirs}.${part}`, shape, undefined));
    }
    if (ours.endsWith(".norm")) entries.push(constant(`${theirs}.num_batches_tracked`, []));
  }
  return entries;
}
