/**
 * Recorded networks of Hugging Face diffusers.
 *
 * @module
 */
import { fromDiffusersConfig } from "../../../model/networks/diffusers/config.ts";
import { diffusersNames } from "../../../model/networks/diffusers/names.ts";
import { DiffusersUNet } from "../../../model/networks/diffusers/unet.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";

/** `UNet2DModel`s. */
export const DIFFUSERS: RecordedNetwork = {
  family: "diffusers",
  rebuild(golden) {
    const config = golden.manifest.config as Record<string, unknown>;
    const timesteps = Number(config.num_train_timesteps ?? 1000);
    // The product samples with as many channels as come in; the network itself may give others.
    const { in_channels: channels = 3, out_channels: outputs = 3 } = config;
    const asked = { ...config, out_channels: channels };
    const model = fromDiffusersConfig(asked, timesteps, refuse);
    if (!model) throw new Unsupported("such a UNet2DModel is not known");
    const network = new DiffusersUNet(model.options, { ...model.shape, outputs: Number(outputs) });
    return {
      network,
      names: diffusersNames(network),
      passes: {
        "": (pass) => {
          const labels = pass.has("y") ? pass.indices("y") : undefined;
          const known = { x: pass.image("x"), level: pass.level("t") };
          return { out: network.forward(pass.graph, labels ? { ...known, labels } : known) };
        },
        time: (pass) => ({ temb: network.project(pass.graph, pass.level("t")) }),
      },
    };
  },
};

function refuse(key: string, rule: string, got: unknown): void {
  throw new Unsupported(`${key} that does not ${rule} is not known, got ${JSON.stringify(got)}`);
}
