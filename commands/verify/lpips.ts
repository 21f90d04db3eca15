/**
 * Replays recorded distances of the lpips package, with weights made from a hash of their names.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { Lpips, type LpipsTensor } from "../../metrics/judges/lpips.ts";
import { checkRecorded } from "./feature_checks.ts";
import {
  budgetOf,
  type CaseName,
  type CaseResult,
  Comparison,
  type GoldenFile,
  replay,
  Unsupported,
} from "./golden.ts";
import { hashedTensor } from "./inception.ts";
import { channelsLast, fromTorch, IMAGE, toTorch } from "./layout.ts";

const FAMILY = "lpips";
type Errors = Readonly<
  Record<string, { readonly max_abs_f32_vs_f64: number; readonly scale_absmax_f64: number }>
>;

/** Replays the family. */
export async function* verifyLpips(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const { manifest } = golden;
  const state = new Map<string, LpipsTensor>();
  for (const [name, shape] of manifest.state_dict as [string, number[]][]) {
    if (name.startsWith("net.") || /^lin\d/.test(name)) {
      state.set(name, hashedTensor(name, shape, manifest.salt as number));
    }
  }
  // Without the learned factors, channels are added as they are.
  const plain = new Map(Array.from(state, ([name, { shape, data }]) => {
    const ones = { shape, data: new Float32Array(data.length).fill(1) };
    return [name, name.startsWith("lin") ? ones : { shape, data }];
  }));
  for (const [i] of (manifest.sizes as unknown[]).entries()) {
    for (const [prefix, weights] of [["", state], ["baseline.", plain]] as const) {
      const name = { case: `size${i}.${prefix}distance`, family: FAMILY, op: "distance" };
      yield* replay(name, () => verifyDistances(gpu, golden, weights, `size${i}/`, prefix));
    }
    for (const [other, verify] of Object.entries(OTHERS)) {
      const name = { case: `size${i}.${other}`, family: FAMILY, op: other };
      yield* replay(name, () => verify({ gpu, golden, state, path: `size${i}/`, name }));
    }
  }
}

/** What a case of one size needs. */
interface Sized {
  readonly gpu: Gpu;
  readonly golden: GoldenFile;
  readonly state: ReadonlyMap<string, LpipsTensor>;
  readonly path: string;
  readonly name: CaseName;
}

/** What is recorded beside distances. */
const OTHERS: Readonly<Record<string, (sized: Sized) => Promise<CaseResult>>> = {
  features: (sized) =>
    compareBy(sized, async (lpips, [x], check) => {
      for (const [i, features] of (await lpips.features(x)).entries()) {
        check(`feature${i}`, features);
      }
    }),
  grad_images0: (sized) =>
    compareBy(sized, async (lpips, [x, y], check) => {
      check("grad_images0", await lpips.gradients(x, y));
    }),
  "spatial.map": (sized) =>
    compareBy(sized, async (lpips, [x, y], check) => {
      check("spatial.map", await lpips.spatialMaps(x, y));
    }),
};

type Check = (name: string, ours: ArrayLike<number>) => void;

async function compareBy(
  { gpu, golden, state, path, name }: Sized,
  body: (
    lpips: Lpips,
    images: readonly [Float32Array, Float32Array],
    check: Check,
  ) => Promise<void>,
): Promise<CaseResult> {
  const comparison = new Comparison(name.case, name.family, name.op);
  const { images, shape } = imagesOf(golden, path);
  const lpips = await Lpips.create(gpu, state, shape);
  await body(lpips, images, (tensor, ours) => {
    const key = `${path}${tensor}`;
    if (!golden.has(key)) return;
    const { shape: whole, stored } = (golden.manifest.max_abs_f32_vs_f64 as Stored)[key]!;
    const theirs = toTorch(ours, whole, channelsLast(whole.length));
    checkRecorded(golden, comparison, key, keptOf(theirs, whole, stored));
  });
  lpips.destroy();
  return comparison.result();
}

/** How much of a tensor is in the file. */
type Stored = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly stored?: string }>
>;

/** The part of a tensor that is stored. */
function keptOf(values: ArrayLike<number>, shape: readonly number[], stored?: string) {
  if (stored === undefined) return values;
  const [, some] = /^(\d+) values at floor\(j\*numel\/\1\)$/.exec(stored) ?? [];
  if (some !== undefined) {
    const length = Math.min(Number(some), values.length);
    return Array.from({ length }, (_, j) => values[Math.floor(j * values.length / length)]!);
  }
  const [, digits] = /^every (\d+)(?:st|nd|rd|th) row and column$/.exec(stored) ?? [];
  if (digits === undefined) throw new Unsupported(`${stored} is not known`);
  const step = Number(digits), [height = 1, width = 1] = shape.slice(-2);
  return Array.from(values).filter((_, i) =>
    i % width % step === 0 && Math.floor(i / width) % height % step === 0
  );
}

/** Both sides' images in [-1, 1]. */
function imagesOf(golden: GoldenFile, path: string) {
  const of = (side: number) => {
    const { data, shape } = fromTorch(golden.get(`${path}images${side}_u8`), IMAGE);
    return { shape, values: data.map((byte) => byte / 127.5 - 1) };
  };
  const a = of(0), [, height = 0, width = 0, channels = 0] = a.shape;
  return { images: [a.values, of(1).values] as const, shape: { height, width, channels } };
}

async function verifyDistances(
  gpu: Gpu,
  golden: GoldenFile,
  state: ReadonlyMap<string, LpipsTensor>,
  path: string,
  prefix: string,
): Promise<CaseResult> {
  const { images: [x, y], shape } = imagesOf(golden, path);
  const lpips = await Lpips.create(gpu, state, shape);
  const comparison = new Comparison(`${path.slice(0, -1)}.${prefix}distance`, FAMILY, "distance");
  const errors = golden.manifest.max_abs_f32_vs_f64 as Errors;
  const check = (name: string, actual: Float64Array) => {
    const key = `${path}${name}`;
    const { max_abs_f32_vs_f64: e, scale_absmax_f64: s } = errors[key]!;
    comparison.check(key, actual, golden.get(key).data, budgetOf(e, s));
  };
  check(`${prefix}layers`, await lpips.layerDistances(x, y));
  check(`${prefix}distance`, await lpips.distances(x, y));
  if (prefix === "") {
    check("normalize01", await lpips.distances(x, y));
    check("self", await lpips.distances(x, x));
  }
  lpips.destroy();
  return comparison.result();
}
