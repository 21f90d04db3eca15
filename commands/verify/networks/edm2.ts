/**
 * Recorded networks of NVlabs/edm2 in their preconditioner.
 *
 * @module
 */
import { reshape } from "../../../autograd/ops/reshape.ts";
import { edmDraw, edmPreconditioning } from "../../../diffusion/preconditionings/edm.ts";
import { fromEdm2Arguments } from "../../../model/networks/edm2/arguments.ts";
import { edm2Names } from "../../../model/networks/edm2/names.ts";
import { Edm2UNet } from "../../../model/networks/edm2/unet.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";
import type { Pass } from "../replayed_pass.ts";
import { type Ask, conditionOf, denoised, lossMap, type Recorded } from "./edm_preconditioning.ts";

/** Our network of a preconditioner's arguments. */
function edm2Network(config: Recorded): Edm2UNet {
  const { options, shape } = fromEdm2Arguments(config);
  const network = createNetwork(options, shape);
  if (!(network instanceof Edm2UNet)) throw new Unsupported("such a network is not known");
  return network;
}

/** Networks in EDM2's Precond. */
export const EDM2: RecordedNetwork = {
  family: "edm2",
  rebuild(golden, state) {
    const config = golden.manifest.config as Recorded;
    const network = edm2Network(config);
    const sigmaData = Number(config.sigma_data ?? 0.5);
    const preconditioning = edmPreconditioning({ sigmaData });
    const labels = (pass: Pass) =>
      pass.has("labels") ? pass.graph.constant(pass.numbers("labels")) : undefined;
    const ask = (pass: Pass, classes = labels(pass)): Ask => (x, level) =>
      network.predict(pass.graph, x, level, classes);
    const around = (pass: Pass, ask: Ask) =>
      denoised(pass, preconditioning, { x: pass.image("x"), sigma: pass.recorded("sigma"), ask });
    const loss = (pass: Pass) =>
      lossMap(pass, {
        draw: edmDraw({
          mean: Number(pass.args.P_mean ?? -0.4),
          deviation: Number(pass.args.P_std ?? 1),
          sigmaData: Number(pass.args.sigma_data ?? sigmaData),
        }),
        preconditioning,
        ask: ask(pass),
        uncertainty: (level) =>
          reshape(network.uncertainty!.forward(pass.graph, level), [level.shape[0]!, 1, 1, 1]),
      });
    return {
      network,
      names: edm2Names(network),
      layers: {
        factor: (name, given) =>
          name === "unet.emb_label"
            // Classes are scaled before that layer there, and by its weights here.
            ? given / Math.sqrt(network.options.classes)
            : name === "unet.out_conv"
            ? given / state.get("unet.out_gain")!.data[0]!
            : given,
      },
      passes: {
        "": (pass) => {
          const out = around(pass, ask(pass)), { uncertainty } = network;
          if (!uncertainty) return { out };
          const level = conditionOf(pass, preconditioning, pass.recorded("sigma"));
          const shape = [level.shape[0]!, 1, 1, 1];
          return { out, logvar: reshape(uncertainty.forward(pass.graph, level), shape) };
        },
        "raw": (pass) => ({ out: ask(pass)(pass.image("x"), pass.numbers("noise_labels")) }),
        "uncond": (pass) => ({
          out: around(pass, (x, level) => network.predict(pass.graph, x, level)),
        }),
        "train": loss,
      },
      passOf: ({ P_mean }) => P_mean === undefined ? undefined : loss,
    };
  },
};
