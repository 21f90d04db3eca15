/**
 * DINOv2's weights from files of facebookresearch/dinov2, or of Hugging Face's `Dinov2Model`. All sizes
 * are those of the tensors.
 *
 * @module
 */
import { formatShape, sizeOf } from "../../../device/tensor.ts";
import { namedParameters } from "../../../model/module.ts";
import { fromPytorch, pytorchParameter } from "../../../model/names/pytorch.ts";
import type { NamedValues } from "../../../model/parameters.ts";
import { DinoV2, HEAD_CHANNELS } from "./dinov2_network.ts";
import type { StateDict, StateTensor } from "./inception_weights.ts";

/** Added to the sides of a grid of patches that positions are stretched to, as the original has it. */
const OFFSET = 0.1;
/** Of the cubic convolution that they are stretched by (Keys 1981), PyTorch's. */
const CUBIC = -0.75;

/** Names of transformers, and those of the original. */
const TRANSFORMERS: readonly (readonly [theirs: RegExp, original: string])[] = [
  [/^embeddings\.cls_token$/, "cls_token"],
  [/^embeddings\.position_embeddings$/, "pos_embed"],
  [/^embeddings\.register_tokens$/, "register_tokens"],
  [/^embeddings\.patch_embeddings\.projection\.(\w+)$/, "patch_embed.proj.$1"],
  [/^encoder\.layer\.(\d+)\.(norm[12]\.\w+|mlp\.fc[12]\.\w+)$/, "blocks.$1.$2"],
  [/^encoder\.layer\.(\d+)\.attention\.output\.dense\.(\w+)$/, "blocks.$1.attn.proj.$2"],
  [/^encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1$/, "blocks.$1.ls$2.gamma"],
  [/^encoder\.layer\.(\d+)\.mlp\.weights_in\.(\w+)$/, "blocks.$1.mlp.w12.$2"],
  [/^encoder\.layer\.(\d+)\.mlp\.weights_out\.(\w+)$/, "blocks.$1.mlp.w3.$2"],
  [/^layernorm\.(\w+)$/, "norm.$1"],
];
/** Queries there, which keys and values are beside. */
const QUERY = /^encoder\.layer\.(\d+)\.attention\.attention\.query\.(\w+)$/;

/** Ours, and those of the original, with the factor that is folded in. */
const NAMES: readonly (readonly [ours: RegExp, theirs: string, factor?: string])[] = [
  [/^patches\.(\w+)$/, "patch_embed.proj.$1"],
  [/^blocks\.(\d+)\.attentionNorm\.(\w+)$/, "blocks.$1.norm1.$2"],
  [/^blocks\.(\d+)\.attentionInputs\.(\w+)$/, "blocks.$1.attn.qkv.$2"],
  [/^blocks\.(\d+)\.attentionOutput\.(\w+)$/, "blocks.$1.attn.proj.$2", "blocks.$1.ls1.gamma"],
  [/^blocks\.(\d+)\.perceptronNorm\.(\w+)$/, "blocks.$1.norm2.$2"],
  [/^blocks\.(\d+)\.hidden\.(\w+)$/, "blocks.$1.mlp.HIDDEN.$2"],
  [/^blocks\.(\d+)\.output\.(\w+)$/, "blocks.$1.mlp.OUTPUT.$2", "blocks.$1.ls2.gamma"],
  [/^norm\.(\w+)$/, "norm.$1"],
];

/** A network and its parameters' values, one after the other. */
export interface DinoV2Weights {
  readonly network: DinoV2;
  readonly values: NamedValues;
}

/**
 * The network that a file holds, for images of `height` by `width` pixels. Tensors that it does not use,
 * as the token that masks patches in training, are ignored.
 *
 * @throws {RangeError} When a tensor is missing or has another shape, when there are register tokens, or
 *   patches do not divide the images.
 */
export function dinoV2Weights(
  given: StateDict,
  { height, width }: { readonly height: number; readonly width: number },
): DinoV2Weights {
  const state = originalNames(given);
  if (state.has("register_tokens")) {
    refuse("register_tokens must not be there: networks with register tokens are not known");
  }
  const [channels = 0, , patch = 0] = anyShape(state, "patch_embed.proj.weight", 4);
  const [, places = 0] = anyShape(state, "pos_embed", 3), side = Math.sqrt(places - 1);
  const gated = state.has("blocks.0.mlp.w12.weight");
  const [hidden = 0] = anyShape(state, `blocks.0.mlp.${gated ? "w12" : "fc1"}.weight`, 2);
  const blocks = Array.from(state.keys(), (name) => /^blocks\.(\d+)\.norm1\.weight$/.exec(name));
  const depth = blocks.filter(Boolean).length;
  if (channels % HEAD_CHANNELS !== 0 || !Number.isInteger(side) || side < 1) {
    refuse(
      `a token must have a multiple of ${HEAD_CHANNELS} channels and positions must be of a square and ` +
        `a class token, got ${channels} channels and ${places} positions`,
    );
  }
  if (height % patch !== 0 || width % patch !== 0) {
    refuse(`its patches must divide images of ${height}x${width}, got patches of ${patch}`);
  }
  const network = new DinoV2({
    ...{ patch, rows: height / patch, columns: width / patch, channels, depth },
    ...{ hidden: gated ? hidden / 2 : hidden, gated },
  });
  return { network, values: valuesOf(network, state, side) };
}

/** Values by our names; a tensor is read when its turn comes, as all of them may take gigabytes. */
function* valuesOf(network: DinoV2, state: StateDict, side: number): NamedValues {
  const { rows, columns, channels, gated } = network.shape;
  const table = tensorOf(state, "pos_embed", [1, 1 + side * side, channels]).data;
  const token = tensorOf(state, "cls_token", [1, 1, channels]).data;
  yield ["classToken", Float32Array.from({ length: channels }, (_, c) => token[c]! + table[c]!)];
  const places = Float64Array.from(
    { length: table.length - channels },
    (_, i) => table[channels + i]!,
  );
  yield ["positions", Float32Array.from(stretch(places, side, [rows, columns], channels))];
  for (const [name, { shape }] of namedParameters(network)) {
    const [ours, theirs, factor] = NAMES.find(([ours]) => ours.test(name)) ?? [];
    if (!ours || theirs === undefined) continue;
    const original = name.replace(ours, theirs)
      .replace("HIDDEN", gated ? "w12" : "fc1").replace("OUTPUT", gated ? "w3" : "fc2");
    const entry = pytorchParameter(name, original, shape, undefined);
    const { data } = tensorOf(state, original, entry.pytorchShape);
    const theirValues = { shape: entry.pytorchShape, data: new Float32Array(data) };
    const values = fromPytorch(entry, theirValues);
    if (factor !== undefined) {
      const scale = tensorOf(state, name.replace(ours, factor), [channels]).data;
      for (let i = 0; i < values.length; i++) values[i] = values[i]! * scale[i % channels]!;
    }
    yield [name, values];
  }
}

/** The same tensors under the original's names. */
function originalNames(given: StateDict): StateDict {
  const state = new Map<string, StateTensor>();
  for (const [name, tensor] of given) {
    const [theirs, original] = TRANSFORMERS.find(([theirs]) => theirs.test(name)) ?? [];
    const [, block, part] = QUERY.exec(name) ?? [];
    if (block !== undefined) {
      const three = ["query", "key", "value"].map((one) => name.replace(".query.", `.${one}.`));
      state.set(`blocks.${block}.attn.qkv.${part}`, joined(three, given, tensor.shape));
    } else state.set(theirs ? name.replace(theirs, original!) : name, tensor);
  }
  return state;
}

/** Tensors of one shape, one behind the other along the first axis. */
function joined(names: readonly string[], given: StateDict, shape: readonly number[]): StateTensor {
  const parts = names.map((name) => tensorOf(given, name, shape));
  return {
    shape: [names.length * (shape[0] ?? 1), ...shape.slice(1)],
    get data() {
      const length = sizeOf(shape), data = new Float32Array(names.length * length);
      parts.forEach((part, i) => data.set(part.data, i * length));
      return data;
    },
  };
}

/**
 * Positions of a square of patches for another grid: PyTorch's bicubic interpolation with a scale of
 * (grid + 0.1) / side, edges repeated, as the original's `interpolate_pos_encoding` has it.
 */
function stretch(
  places: Float64Array,
  side: number,
  [rows, columns]: readonly [number, number],
  channels: number,
): Float64Array {
  if (rows === side && columns === side) return places;
  const down = sharesOf(side, rows), across = sharesOf(side, columns);
  const result = new Float64Array(rows * columns * channels);
  for (let token = 0; token < rows * columns; token++) {
    for (const [y, weightY] of down[Math.floor(token / columns)]!) {
      for (const [x, weightX] of across[token % columns]!) {
        const from = (y * side + x) * channels, weight = weightY * weightX;
        for (let c = 0; c < channels; c++) {
          result[token * channels + c] = result[token * channels + c]! + weight * places[from + c]!;
        }
      }
    }
  }
  return result;
}

/** Of each place along an axis, the four that it is made of and their weights. */
function sharesOf(from: number, to: number): (readonly [place: number, weight: number])[][] {
  return Array.from({ length: to }, (_, i) => {
    const at = (i + 0.5) * from / (to + OFFSET) - 0.5, first = Math.floor(at);
    return [-1, 0, 1, 2].map((k) =>
      [Math.max(0, Math.min(from - 1, first + k)), cubic(at - first - k)] as const
    );
  });
}

function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1;
  return d < 2 ? CUBIC * (((d - 5) * d + 8) * d - 4) : 0;
}

/** The shape of a tensor of which the number of axes is known alone. */
function anyShape(state: StateDict, name: string, axes: number): readonly number[] {
  const shape = state.get(name)?.shape;
  if (shape?.length === axes) return shape;
  return refuse(
    `${name} must have ${axes} axes, got ${shape ? formatShape(shape) : "no such tensor"}`,
  );
}

function tensorOf(state: StateDict, name: string, shape: readonly number[]): StateTensor {
  const tensor = state.get(name);
  if (tensor && formatShape(tensor.shape) === formatShape(shape)) return tensor;
  return refuse(
    `${name} must have shape ${formatShape(shape)}, got ${
      tensor ? formatShape(tensor.shape) : "no such tensor"
    }`,
  );
}

function refuse(what: string): never {
  throw new RangeError(`Cannot take DINOv2's weights: ${what}`);
}
