/**
 * Recorded autoencoders of Hugging Face diffusers.
 *
 * @module
 */
import { add } from "../../../autograd/ops/add.ts";
import {
  gaussianDeviation,
  gaussianDivergence,
  gaussianSample,
} from "../../../autograd/ops/gaussian.ts";
import { mseLoss } from "../../../autograd/ops/losses.ts";
import { mean } from "../../../autograd/ops/reduce.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { AutoencoderKL } from "../../../model/autoencoder/autoencoder.ts";
import { fromAutoencoderConfig } from "../../../model/autoencoder/config.ts";
import { toLatents } from "../../../model/autoencoder/latents.ts";
import { diffusersNames } from "../../../model/networks/diffusers/names.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";
import type { Pass } from "../replayed_pass.ts";

/** `AutoencoderKL`s. */
export const AUTOENCODER_KL: RecordedNetwork = {
  family: "autoencoder-kl",
  rebuild(golden) {
    const config = golden.manifest.config as Record<string, unknown>;
    const options = fromAutoencoderConfig(config, (key, rule, got) => {
      const value = JSON.stringify(got);
      throw new Unsupported(`${key} that does not ${rule} is not known, got ${value}`);
    });
    const network = new AutoencoderKL(options!);
    return {
      network,
      names: diffusersNames(network),
      passes: {
        "": (pass) => trained(network, pass),
        decode: (pass) => ({ out: network.decode(pass.constant("z0")) }),
        latent: (pass) => ({
          scaled_mean: toLatents(network.encode(pass.constant("x")).mean, options!),
        }),
      },
    };
  },
};

/** A step of training, with what is drawn given. */
function trained(network: AutoencoderKL, pass: Pass) {
  const x = pass.image("x");
  const gaussians = network.encode(x);
  const z = gaussianSample(gaussians, pass.constant("eps"));
  const out = network.decode(z);
  const kl = gaussianDivergence(gaussians);
  const weight = Number(pass.args.kl_weight);
  return {
    ...{ out, z, kl, mean: gaussians.mean, logvar: gaussians.logVariance },
    std: gaussianDeviation(gaussians),
    loss: add(mseLoss(out, pass.graph.constant(x.ref)), scale(mean(kl), weight)),
  };
}
