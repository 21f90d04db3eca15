/**
 * Recorded networks of facebookresearch/DiT.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { sizeOf, type TensorRef } from "../../../device/tensor.ts";
import { guide } from "../../../kernels/process/guidance.ts";
import { DiT } from "../../../model/networks/dit/dit.ts";
import { ditNames } from "../../../model/networks/dit/names.ts";
import { sinusoidTable } from "../../../model/time_embedding.ts";
import { type GoldenFile, Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";
import type { Pass } from "../replayed_pass.ts";

/** Timesteps of the original code. */
const TIMESTEPS = 1000;

/** Arguments of its constructor, with what it takes unless given. */
const DEFAULTS = {
  input_size: 32,
  patch_size: 2,
  in_channels: 4,
  hidden_size: 1152,
  depth: 28,
  num_heads: 16,
  mlp_ratio: 4,
  class_dropout_prob: 0.1,
  num_classes: 1000,
  learn_sigma: true,
};

/** The network of a manifest. */
function rebuiltNetwork({ manifest }: GoldenFile): DiT {
  const given = manifest.config as Partial<typeof DEFAULTS>;
  const strange = Object.keys(given).find((key) => !(key in DEFAULTS));
  if (strange) throw new Unsupported(`${strange} of the network's configuration is not known`);
  const config = { ...DEFAULTS, ...given };
  return new DiT({
    name: "dit",
    patchSize: config.patch_size,
    channels: config.hidden_size,
    depth: config.depth,
    heads: config.num_heads,
    mlpRatio: config.mlp_ratio,
    learnSigma: config.learn_sigma,
    classes: config.num_classes,
    labelDropout: config.class_dropout_prob,
  }, {
    ...{ height: config.input_size, width: config.input_size },
    ...{ channels: config.in_channels, timesteps: TIMESTEPS },
  });
}

/** Diffusion transformers. */
export const DIT: RecordedNetwork = {
  family: "dit",
  rebuild(golden) {
    const network = rebuiltNetwork(golden);
    const predict = (pass: Pass, labels = pass.indices("y")) =>
      network.predict(pass.graph, { x: pass.image("x"), level: pass.level("t"), labels });
    return {
      network,
      names: ditNames(network, network.shape),
      layers: { tokens: true },
      passes: {
        "": (pass) => ({ out: predict(pass) }),
        "time": (pass) => ({ temb: timeTable(pass) }),
        "cfg": (pass) => ({ out: guidedPair(network, pass) }),
        "label_dropout": (pass) => ({ out: predict(pass, withheld(network, pass)) }),
      },
    };
  },
};

/** The sinusoids of each timestep, cosines first. */
function timeTable(pass: Pass): number[] {
  const { dim = 256, max_period: slowest = 10000 } = pass.args as {
    dim?: number;
    max_period?: number;
  };
  if (slowest !== 10000 || dim % 2 !== 0) {
    throw new Unsupported(`sinusoids of ${dim} columns down to 1 / ${slowest} are not known`);
  }
  const table = sinusoidTable(TIMESTEPS, dim);
  return Array.from(pass.recorded("t")).flatMap((t) => {
    if (!Number.isInteger(t) || t < 0 || t >= TIMESTEPS) {
      throw new Unsupported(`timestep ${t} is not one of ${TIMESTEPS}`);
    }
    const row = table.subarray(t * dim, (t + 1) * dim);
    return [1, 0].flatMap((first) =>
      Array.from({ length: dim / 2 }, (_, i) => row[2 * i + first]!)
    );
  });
}

/** Classes as training withholds them. */
function withheld({ options: { classes, labelDropout } }: DiT, pass: Pass): TensorRef {
  const [labels, draws] = [pass.recorded("y"), pass.recorded("dropout_u")];
  const values = Uint32Array.from(labels, (y, i) => draws[i]! < labelDropout ? classes : y);
  pass.values.withheld = values;
  return pass.graph.capture.input("withheld", [values.length], "u32");
}

/** `forward_with_cfg`: of the batch the first half counts, and both halves come out guided. */
function guidedPair(network: DiT, pass: Pass): Tensor {
  const { graph, args } = pass, { capture } = graph;
  const x = pass.constant("cfg_x");
  const [n = 0, ...image] = x.shape;
  const rows = (tensor: Tensor, wanted: (i: number) => number, count: number) => {
    const [all = 0, ...shape] = tensor.shape;
    const indices = Uint32Array.from({ length: count }, (_, i) => wanted(i));
    const table = reshape(tensor, [all, sizeOf(shape)]);
    const found = gatherRows(table, graph.constant(capture.constant([count], indices, "rows")));
    return reshape(found, [count, ...shape]);
  };
  const all = network.predict(graph, {
    x: rows(x, (i) => i % (n / 2), n),
    level: pass.level("cfg_t"),
    labels: pass.indices("cfg_y"),
  });
  const scale = args.cfg_scale as number;
  const [conditional, unconditional] = [0, n / 2].map((first) =>
    rows(all, (i) => first + i, n / 2).ref
  ) as [TensorRef, TensorRef];
  const strength = { rescale: 0, channels: network.guidedChannels };
  const halves = [
    guide(capture, { conditional, unconditional }, { ...strength, scale }),
    // The same from the other side; channels that are not guided keep their own values.
    guide(
      capture,
      { conditional: unconditional, unconditional: conditional },
      { ...strength, scale: 1 - scale },
    ),
  ].map((half) => reshape(graph.constant(half), [1, sizeOf(half.shape)]));
  return reshape(concat(halves[0]!, halves[1]!), [n, ...image.slice(0, -1), all.shape.at(-1)!]);
}
