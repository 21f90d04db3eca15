/**
 * Recorded networks of xianyingkong/dsc-capstone-b05.
 *
 * @module
 */
import { Graph } from "../../../autograd/graph.ts";
import { fullNames } from "../../../model/networks/full/names.ts";
import { FullUNet } from "../../../model/networks/full/unet.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import { parameterSlots } from "../../../model/parameters.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";
import type { RecordedState } from "../recorded_state.ts";

/** The constructor's arguments as recorded. */
interface Recorded {
  readonly in_c?: number;
  readonly out_c?: number;
  readonly n_steps?: number;
  readonly time_emb_dim?: number;
}

/** Widths of the levels and of the middle, told by the layers that end them. */
function widthsOf(state: RecordedState): number[] {
  const widths: number[] = [];
  for (let level = 1; state.has(`up${level}.weight`); level++) {
    widths.push(state.get(`b${level}.1.conv.weight`)!.shape[0]!);
  }
  return [...widths, state.get("b_mid.1.conv.weight")!.shape[0]!];
}

/** `FullUNet`s. */
export const FULL_UNET: RecordedNetwork = {
  family: "full",
  rebuild(golden, state) {
    const {
      in_c: channels = 1,
      out_c: outputs = 1,
      n_steps: timesteps = 1000,
      time_emb_dim = 100,
    } = golden.manifest.config as Recorded;
    const [, , height = 0, width = 0] = golden.get("x").shape;
    const network = createNetwork({
      name: "full",
      channels: 1,
      channelMultipliers: widthsOf(state),
      timeChannels: time_emb_dim,
      timeTable: "notebook",
    }, { height, width, channels, outputs, timesteps });
    if (!(network instanceof FullUNet)) throw new Unsupported("such a FullUNet is not known");
    return {
      network,
      names: fullNames(network),
      passes: {
        "eval": (pass) => ({
          out: network.forward(pass.graph, { x: pass.image("x"), level: pass.level("t") }),
        }),
        "train": (pass) => {
          const inputs = { x: pass.image("x"), level: pass.level("t") };
          const out = network.forward(pass.graph, inputs);
          if (!pass.has("out_eval_after")) return { out };
          const after = new Graph(pass.graph.capture, {
            parameters: parameterSlots(network, pass.weights),
          });
          const x = after.constant(inputs.x.ref);
          return {
            out,
            out_eval_after: network.forward(after, { x, level: inputs.level }),
          };
        },
      },
    };
  },
};
