/**
 * Mean and covariance of a data set's features as .npz: arrays `mu` `[d]` and `sigma` `[d, d]` in
 * f64, as pytorch-fid writes them and pytorch-ddpm's cifar10.train.npz has them. Ours also hold
 * `count` (rows behind the moments) and `features` (which features these are, UTF-8), which other
 * readers pass over.
 *
 * @module
 */
import { readNpz, writeNpz } from "../../formats/npy.ts";
import type { StoredTensor } from "../../formats/safetensors.ts";
import { atomicWrite, readFileChecked } from "../../support/files.ts";
import type { Gaussian } from "../numerics/moments.ts";

/** Largest file that is read: 16,000 features. */
const MAX_BYTES = 2 ** 31;

/** Moments with their origin. */
export interface Statistics extends Gaussian {
  /** Rows behind the moments; null where the file does not say. */
  readonly count: number | null;
  /** Which features these are; null where the file does not say. */
  readonly features: string | null;
}

/** Writes moments; equal ones give equal bytes. */
export async function writeStatistics(path: string, statistics: Statistics): Promise<void> {
  const { dimension: d, mean, covariance, count, features } = statistics;
  const arrays: [string, StoredTensor][] = [
    ["mu", { dtype: "F64", shape: [d], data: Float64Array.from(mean) }],
    ["sigma", { dtype: "F64", shape: [d, d], data: Float64Array.from(covariance) }],
  ];
  if (count !== null) {
    arrays.push(["count", { dtype: "I64", shape: [], data: BigInt64Array.of(BigInt(count)) }]);
  }
  if (features !== null) {
    const data = new TextEncoder().encode(features);
    arrays.push(["features", { dtype: "U8", shape: [data.length], data }]);
  }
  await atomicWrite(path, writeNpz(arrays));
}

/**
 * Reads moments.
 *
 * @throws {Error} When the file is absent, damaged, or lacks mu and sigma that fit one another.
 */
export async function readStatistics(path: string): Promise<Statistics> {
  const bytes = await readFileChecked(path, MAX_BYTES);
  try {
    const arrays = readNpz(bytes);
    const mean = arrays.get("mu"), covariance = arrays.get("sigma");
    const d = mean?.shape[0] ?? 0;
    if (!mean || !covariance || mean.shape.length !== 1 || d === 0) {
      throw new SyntaxError("it must hold mu [d] and sigma [d, d]");
    }
    if (covariance.shape.join() !== [d, d].join()) {
      throw new SyntaxError(
        `sigma must be [${d}, ${d}] as mu is [${d}], got [${covariance.shape}]`,
      );
    }
    const count = arrays.get("count"), features = arrays.get("features");
    return {
      dimension: d,
      mean: realNumbers(mean, "mu"),
      covariance: realNumbers(covariance, "sigma"),
      count: count?.dtype === "I64" && count.data.length === 1 ? Number(count.data[0]) : null,
      features: features?.dtype === "U8"
        ? new TextDecoder().decode(Uint8Array.from(features.data as Uint8Array))
        : null,
    };
  } catch (cause) {
    const why = (cause as Error).message.replace(/^Cannot read (npy|zip[^:]*): /, "");
    throw new Error(`Cannot read statistics ${path}: ${why}`, { cause });
  }
}

function realNumbers({ dtype, data }: StoredTensor, name: string): Float64Array {
  if (dtype !== "F64" && dtype !== "F32") {
    throw new SyntaxError(`${name} must be f32 or f64, got ${dtype}`);
  }
  return Float64Array.from(data as Float64Array);
}
