/**
 * Recorded networks of Hugging Face diffusers.
 *
 * @module
 */
import {
  diffusersNames,
  fromDiffusersConfig,
} from "../../../model/networks/ho2020/names/diffusers.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import { UNet } from "../../../model/networks/ho2020/unet.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";

/** `UNet2DModel`s. */
export const DIFFUSERS: RecordedNetwork = {
  family: "diffusers",
  rebuild(golden) {
    const model = fromDiffusersConfig(golden.manifest.config as Record<string, unknown>, 1000, no);
    if (!model) throw new Unsupported("such a UNet2DModel is not known");
    const [, , height = 0, width = 0] = golden.get("x").shape;
    const network = createNetwork(model.options, { ...model.shape, height, width });
    if (!(network instanceof UNet)) throw new Unsupported("such a UNet2DModel is not known");
    return {
      network,
      names: diffusersNames(network, model.flipped),
      passes: {
        "": (pass) => ({
          out: network.forward(pass.graph, { x: pass.image("x"), level: pass.level("t") }),
        }),
      },
    };
  },
};

function no(key: string, rule: string, got: unknown): void {
  throw new Unsupported(`${key} that does not ${rule} is not known, got ${JSON.stringify(got)}`);
}
