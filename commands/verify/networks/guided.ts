/**
 * Recorded networks of guided-diffusion and GenerativeZoo.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { guidedNames } from "../../../model/networks/guided/names/guided_diffusion.ts";
import { guidedOptions } from "../../../model/networks/guided/names/options.ts";
import { GuidedUNet } from "../../../model/networks/guided/unet.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";

/** Timesteps that recordings go up to. */
const TIMESTEPS = 1000;

/** Their U-Nets. */
export const GUIDED: RecordedNetwork = {
  family: "guided",
  rebuild(golden) {
    const config = golden.manifest.config as Record<string, unknown>;
    const found = guidedOptions(config, (reason) => {
      throw new Unsupported(reason);
    });
    const network = new GuidedUNet(found.options, { ...found.shape, timesteps: TIMESTEPS });
    return {
      network,
      names: guidedNames(network),
      passes: {
        "": (pass) => {
          const observed: Record<string, Tensor> = {};
          const out = network.forward(pass.graph, {
            x: pass.image("x"),
            level: pass.level("t"),
            ...(pass.has("y") ? { labels: pass.indices("y") } : {}),
          }, (name, tensor) => {
            if (pass.has(`act/${name}`)) observed[`act/${name}`] = tensor;
          });
          return { out, ...observed };
        },
      },
    };
  },
};
