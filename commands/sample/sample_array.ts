/**
 * Samples as one array, as numpy reads it.
 *
 * @module
 */
import { dataDims, type DataOptions, imageShape } from "../../data/options.ts";
import type { StoredTensor } from "../../formats/safetensors.ts";
import type { Drawn } from "./draw.ts";

/**
 * The array: bytes of images `[N, H, W, C]` and of volumes `[N, D, H, W, C]`; signals `[N, L, C]` as
 * f32 in the units of their data.
 *
 * @param drawn All samples.
 */
export function sampleArray(
  data: DataOptions,
  { images, values }: Pick<Drawn, "images" | "values">,
): StoredTensor {
  const { height, width, channels, depth = 1 } = imageShape(data);
  const dims = dataDims(data);
  const count = images!.length / (height * width * channels);
  const sides = { 1: [width], 2: [height, width], 3: [depth, height / depth, width] }[dims];
  const shape = [count, ...sides, channels];
  if (dims !== 1) return { dtype: "U8", shape, data: images! };
  // Made-up signals are bytes, whose least and largest are -1 and 1.
  const [low, high] = data.name === "signals" ? data.range : [-1, 1];
  const scaled = values!.map((value) => low + (value + 1) / 2 * (high - low));
  return { dtype: "F32", shape, data: scaled };
}
