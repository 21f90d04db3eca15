/**
 * Matrix units for tests: no CPU driver has any. A launcher is told that there are, and what it records
 * is then run with the operations of matrix units written out as WGSL.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Kernel } from "../../device/kernel.ts";
import type { MatrixShape } from "../../device/matrix_units.ts";
import { pretending } from "./wide_gpu.ts";

/** Units that an adapter is said to have. */
export interface PretendedUnits {
  readonly shapes: readonly MatrixShape[];
  /** The largest size of subgroups. */
  readonly lanes: number;
  /** The smallest size; the largest unless given. */
  readonly leastLanes?: number;
}

/** `gpu` with such units, and with other limits where they are given. */
export function withMatrixUnits(
  gpu: Gpu,
  { shapes, lanes, leastLanes = lanes }: PretendedUnits,
  limits: Partial<GPUSupportedLimits> = {},
): Gpu {
  const sizes = { subgroupMaxSize: lanes, subgroupMinSize: leastLanes };
  const info = { ...gpu.info, ...sizes } as GPUAdapterInfo;
  const raised = new Proxy(gpu.limits, {
    get: (target, name) => Reflect.get(name in limits ? limits : target, name),
  });
  return pretending(
    pretending(pretending(gpu, "matrixShapes", shapes), "info", info),
    "limits",
    raised,
  );
}

/**
 * Records `body` on a GPU with such units and puts the emulation in the place of its kernels.
 *
 * @param lanes Of a subgroup, as the kernels will find it.
 */
export function recordOnUnits<T>(
  capture: Capture,
  gpu: Gpu,
  lanes: number,
  body: (capture: Capture) => T,
): T {
  const result = body(pretending(capture, "gpu", gpu));
  capture.rewrite(
    capture.dispatches.map((dispatch) => ({
      ...dispatch,
      kernel: dispatch.kernel.matrices ? emulate(dispatch.kernel, lanes) : dispatch.kernel,
    })),
  );
  return result;
}

const LOAD = new RegExp(
  String
    .raw`subgroupMatrixLoad<subgroup_matrix_(left|right)<\w+, \d+, \d+>, (row|col)_major>\(&(\w+), `,
  "g",
);

/**
 * The kernel in plain WGSL; subgroups are `lanes` neighbouring invocations, which share out the elements
 * of a result. An operand is where it lies in its slice: slices don't change while they are multiplied.
 */
function emulate(kernel: Kernel, lanes: number): Kernel {
  const left = kernel.wgsl.match(/subgroup_matrix_left<\w+, (\d+), (\d+)>/)!;
  const result = kernel.wgsl.match(/subgroup_matrix_result<f32, (\d+), (\d+)>/)!;
  const [k, n, m] = [left[1], result[1], result[2]].map(Number) as [number, number, number];
  const wgsl = kernel.wgsl
    .replaceAll(LOAD, (text, side, major, array) => {
      if (array !== (side === "left" ? "sliceA" : "sliceB")) throw new TypeError(text);
      return `${major}Major(`;
    })
    .replaceAll("subgroupMatrixStore<row_major>(&results, ", "storeResult(")
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "multiplyAccumulate(")
    .replaceAll(/subgroup_matrix_result<f32, \d+, \d+>/g, "Sums")
    .replace(
      ", @builtin(subgroup_id) unit: u32) {",
      `) {\n  let unit = thread / ${lanes}u;\n  lane = thread % ${lanes}u;`,
    );
  const { matrices: _, ...rest } = kernel;
  return { ...rest, name: `${kernel.name}.emulated`, wgsl: operations(m, n, k, lanes) + wgsl };
}

/** Bounds of loops are no constants, as a CPU driver would unroll them and compile for long. */
function operations(m: number, n: number, k: number, lanes: number): string {
  const elements = m * n / lanes;
  if (!Number.isInteger(elements)) throw new RangeError(`${m}x${n} on ${lanes} lanes`);
  return `alias Sums = array<f32, ${elements}>;
var<private> lane: u32;
fn rowMajor(at: u32, stride: u32) -> vec3u { return vec3u(at, stride, 1u); }
fn colMajor(at: u32, stride: u32) -> vec3u { return vec3u(at, 1u, stride); }
fn multiplyAccumulate(a: vec3u, b: vec3u, before: Sums) -> Sums {
  var sums = before;
  let steps = select(${k}u, 0u, params.n == 0u);
  for (var e = 0u; e < min(${elements}u, steps * ${elements}u); e++) {
    let row = (e * ${lanes}u + lane) / ${n}u;
    let column = (e * ${lanes}u + lane) % ${n}u;
    for (var i = 0u; i < steps; i++) {
      sums[e] += f32(sliceA[a.x + row * a.y + i * a.z]) * f32(sliceB[b.x + i * b.y + column * b.z]);
    }
  }
  return sums;
}
fn storeResult(at: u32, value: Sums, stride: u32) {
  var sums = value;
  for (var e = 0u; e < ${elements}u; e++) {
    let element = e * ${lanes}u + lane;
    results[at + element / ${n}u * stride + element % ${n}u] = sums[e];
  }
}
`;
}
