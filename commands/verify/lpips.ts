/**
 * Replays recorded distances of the lpips package, with weights made from a hash of their names.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { Lpips, type LpipsTensor } from "../../metrics/judges/lpips.ts";
import {
  budgetOf,
  type CaseResult,
  Comparison,
  type GoldenFile,
  replay,
  unsupported,
} from "./golden.ts";
import { hashedTensor } from "./inception.ts";
import { fromTorch, IMAGE } from "./layout.ts";

const FAMILY = "lpips";
/** What is recorded and not known here. */
const OTHERS = ["feature0", "grad_images0", "spatial.map"];

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
    for (const other of OTHERS) {
      if (!golden.has(`size${i}/${other}`)) continue;
      const name = { case: `size${i}.${other}`, family: FAMILY, op: other };
      yield unsupported(name, `${other} is not given`);
    }
  }
}

async function verifyDistances(
  gpu: Gpu,
  golden: GoldenFile,
  state: ReadonlyMap<string, LpipsTensor>,
  path: string,
  prefix: string,
): Promise<CaseResult> {
  const [a, b] = [0, 1].map((side) => fromTorch(golden.get(`${path}images${side}_u8`), IMAGE));
  const [, height = 0, width = 0, channels = 0] = a!.shape;
  const values = (bytes: Float32Array) => bytes.map((byte) => byte / 127.5 - 1);
  const lpips = await Lpips.create(gpu, state, { height, width, channels });
  const comparison = new Comparison(`${path.slice(0, -1)}.${prefix}distance`, FAMILY, "distance");
  const errors = golden.manifest.max_abs_f32_vs_f64 as Errors;
  const check = (name: string, actual: Float64Array) => {
    const key = `${path}${name}`;
    const { max_abs_f32_vs_f64: e, scale_absmax_f64: s } = errors[key]!;
    comparison.check(key, actual, golden.get(key).data, budgetOf(e, s));
  };
  const [x, y] = [values(a!.data), values(b!.data)];
  check(`${prefix}layers`, await lpips.layerDistances(x, y));
  check(`${prefix}distance`, await lpips.distances(x, y));
  if (prefix === "") {
    check("normalize01", await lpips.distances(x, y));
    check("self", await lpips.distances(x, x));
  }
  lpips.destroy();
  return comparison.result();
}
