/**
 * The chain under the names of `DenoisingNet` of zjuyzj/pytorch-ddpm, in the order of that code's
 * `state_dict`.
 *
 * @module
 */
import { namedParameters } from "../../module.ts";
import { type PytorchEntry, pytorchParameter } from "../../names/pytorch.ts";
import type { UnrolledChain } from "./chain.ts";

/** Layers of a block: ours, theirs. */
const BLOCK = [
  ["norm1", "block1.0"],
  ["conv1", "block1.2"],
  ["norm2", "block2.0"],
  ["conv2", "block2.3"],
  ["shortcut", "shortcut"],
  ["attention.norm", "attn.group_norm"],
  ["attention.query", "attn.proj_q"],
  ["attention.key", "attn.proj_k"],
  ["attention.value", "attn.proj_v"],
  ["attention.output", "attn.proj"],
] as const;

function* layers({ down, middle, up }: UnrolledChain["nets"][number]): Generator<[string, string]> {
  yield ["head", "head"];
  for (const [way, { length }] of Object.entries({ down, up, middle })) {
    for (let i = 0; i < length; i++) {
      for (const [ours, theirs] of BLOCK) {
        yield [`${way}.${i}.${ours}`, `${way}blocks.${i}.${theirs}`];
      }
    }
  }
  yield ["norm", "tail.0"];
  yield ["tail", "tail.2"];
}

/** Every tensor of the `state_dict`, in its order. */
export function unrolledNames(network: UnrolledChain): PytorchEntry[] {
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const { stages: { length } } = network;
  const constant = (pytorchName: string, pytorchShape: readonly number[]): PytorchEntry => ({
    kind: "constant",
    pytorchName,
    pytorchShape,
  });
  const ofChain = ["alphas_bar", "coef_x_0_forward", "coef_noise_forward"];
  const entries = ofChain.map((name) => constant(name, [length]));
  for (const [i, net] of network.nets.entries()) {
    entries.push(constant(`net.${i}.coef_input`, []), constant(`net.${i}.coef_eps`, []));
    for (const [ours, theirs] of layers(net)) {
      for (const part of ["weight", "bias"]) {
        const name = `nets.${i}.${ours}.${part}`, shape = shapes.get(name);
        if (!shape) continue;
        entries.push(
          pytorchParameter(name, `net.${i}.noise_pred.${theirs}.${part}`, shape, undefined),
        );
      }
    }
  }
  return entries;
}
