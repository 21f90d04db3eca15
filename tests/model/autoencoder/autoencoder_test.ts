import { Graph } from "../../../autograd/graph.ts";
import { Capture } from "../../../device/capture.ts";
import { AutoencoderKL } from "../../../model/autoencoder/autoencoder.ts";
import { autoencoderConfig, fromAutoencoderConfig } from "../../../model/autoencoder/config.ts";
import { fromLatents, toLatents } from "../../../model/autoencoder/latents.ts";
import {
  AUTOENCODER_OPTIONS,
  type AutoencoderOptions,
} from "../../../model/autoencoder/options.ts";
import { countParameters } from "../../../model/module.ts";
import { diffusersNames } from "../../../model/networks/diffusers/names.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  writeArenas,
} from "../../../model/parameters.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { randomValues, testGpu } from "../../support/gpu.ts";

/** The recorded autoencoder's config, as diffusers writes it. */
const CONFIG = {
  _class_name: "AutoencoderKL",
  act_fn: "silu",
  block_out_channels: [16, 32, 32],
  down_block_types: new Array(3).fill("DownEncoderBlock2D"),
  force_upcast: true,
  in_channels: 3,
  latent_channels: 4,
  latents_mean: null,
  layers_per_block: 1,
  norm_num_groups: 8,
  out_channels: 3,
  sample_size: 16,
  scaling_factor: 0.18215,
  shift_factor: null,
  up_block_types: new Array(3).fill("UpDecoderBlock2D"),
};

/** Options of a config, and what was refused of it. */
function read(config: Record<string, unknown>) {
  const refused: string[] = [];
  const options = fromAutoencoderConfig(config, (key, rule, got) => {
    refused.push(`${key} must ${rule}, got ${JSON.stringify(got)}`);
  });
  return { options, refused: refused.join("; ") };
}

Deno.test("fromAutoencoderConfig() takes diffusers' configs, undoes autoencoderConfig(), and refuses by name", () => {
  const { options } = read(CONFIG);
  const keys = Object.keys(AUTOENCODER_OPTIONS);
  assertEquals(Object.keys(options!), keys);
  assertEquals(read(autoencoderConfig({ ...options!, shiftFactor: 0.1 }, 16)), {
    options: { ...options!, shiftFactor: 0.1 },
    refused: "",
  });
  const cases: [string, unknown, string][] = [
    ["_class_name", "VQModel", "_class_name must be AutoencoderKL"],
    ["latents_mean", [0, 0], "latents_mean must be null"],
    ["norm_num_groups", 5, "norm_num_groups must divide each of block_out_channels, 16,32,32"],
    ["down_block_types", ["DownEncoderBlock2D"], "down_block_types must name 3 blocks"],
    ["up_block_types", ["UpBlock2D"], "up_block_types must be a list of at least one of"],
    ["scaling_factor", 0, "scaling_factor must be a number above 0"],
  ];
  for (const [key, value, part] of cases) {
    const { options, refused } = read({ ...CONFIG, [key]: value });
    assert(options === null && refused.includes(part), `${key}: ${refused}`);
  }
});

Deno.test("AutoencoderKL has the parameters of diffusers' class under its names", () => {
  const network = new AutoencoderKL(read(CONFIG).options!);
  assertEquals(countParameters(network), 242327);
  const shapes = new Map(diffusersNames(network).map((e) => [e.pytorchName, e.pytorchShape]));
  const some: [string, number[]][] = [
    ["encoder.down_blocks.0.downsamplers.0.conv.weight", [16, 16, 3, 3]],
    ["encoder.down_blocks.1.resnets.0.conv_shortcut.weight", [32, 16, 1, 1]],
    ["encoder.mid_block.attentions.0.to_out.0.weight", [32, 32]],
    ["encoder.conv_out.weight", [8, 32, 3, 3]],
    ["decoder.up_blocks.2.resnets.1.norm2.bias", [16]],
    ["decoder.up_blocks.1.upsamplers.0.conv.weight", [32, 32, 3, 3]],
    ["quant_conv.weight", [8, 8, 1, 1]],
    ["post_quant_conv.bias", [4]],
  ];
  for (const [name, shape] of some) assertEquals(shapes.get(name), shape, name);
});

/** Records something on a small autoencoder and runs it. */
async function run(
  options: AutoencoderOptions,
  shape: readonly number[],
  record: (
    network: AutoencoderKL,
    x: ReturnType<Graph["constant"]>,
  ) => { ref: { shape: readonly number[] } } & object,
) {
  const gpu = await testGpu();
  const network = new AutoencoderKL(options);
  const weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], initialValues(network, 3));
  const capture = new Capture(gpu, "an autoencoder");
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
  const x = graph.constant(capture.input("x", shape));
  const { ref } = record(network, x) as { ref: Parameters<Capture["keep"]>[0] };
  capture.keep(ref);
  const program = await capture.plan();
  program.run({ x: randomValues(shape.reduce((a, b) => a * b), 5) });
  const values = await program.readF32(ref);
  program.destroy();
  weights.destroy(gpu);
  return { shape: ref.shape, values };
}

const SMALL: AutoencoderOptions = {
  ...read(CONFIG).options!,
  ...{ blockOutChannels: [8, 16], normNumGroups: 4, latentChannels: 2, shiftFactor: 0.25 },
  downBlockTypes: ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
  upBlockTypes: ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
};

Deno.test("AutoencoderKL encodes to small latents and decodes them to images of the old size", async () => {
  const coded = await run(SMALL, [2, 6, 4, 3], (network, x) => network.encode(x).mean);
  assertEquals(coded.shape, [2, 3, 2, 2]);
  assert(coded.values.every(Number.isFinite) && coded.values.some((value) => value !== 0));
  const there = await run(
    SMALL,
    [2, 6, 4, 3],
    (network, x) => network.decode(network.encode(x).mean),
  );
  assertEquals(there.shape, [2, 6, 4, 3]);
  const bare = {
    ...SMALL,
    useQuantConv: false,
    usePostQuantConv: false,
    midBlockAddAttention: false,
  };
  const other = await run(bare, [2, 6, 4, 3], (network, x) => network.encode(x).logVariance);
  assertEquals(other.shape, [2, 3, 2, 2]);
});

Deno.test("AutoencoderKL refuses images that its levels do not divide", async () => {
  const graph = new Graph(new Capture(await testGpu(), "refused"));
  const x = graph.constant(graph.capture.input("x", [2, 5, 4, 3]));
  assertThrows(
    () => new AutoencoderKL(SMALL).encode(x),
    RangeError,
    "sides that are multiples of 2, got [2,5,4,3]",
  );
});

Deno.test("fromLatents() undoes toLatents()", async () => {
  const scaled = await run(SMALL, [1, 2, 2, 2], (_, x) => toLatents(x, SMALL));
  const z = randomValues(8, 5);
  assertAllClose(scaled.values, Array.from(z, (v) => (v - 0.25) * 0.18215), { atol: 1e-6 });
  const back = await run(SMALL, [1, 2, 2, 2], (_, x) => fromLatents(toLatents(x, SMALL), SMALL));
  assertAllClose(back.values, z, { atol: 1e-5 });
});
