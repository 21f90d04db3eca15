/**
 * What the adapter can do at most: multiply-adds in registers, copies and empty dispatches. Everything
 * else is held against these.
 *
 * @module
 */
import { isCpu } from "../device/cpu_lanes.ts";
import type { Capture } from "../device/capture.ts";
import type { Kernel } from "../device/kernel.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../kernels/shared/grid.ts";
import { assertEquals } from "../tests/support/assert.ts";
import { randomValues, upload } from "../tests/support/gpu.ts";
import type { BenchCase, BenchRun } from "./bench_case.ts";
import { programRun } from "./program_run.ts";

/** Rounds of every chain that are written out in a row. */
const UNROLLED = 64;

const range = (n: number) => [...Array(n).keys()];

/**
 * Chains c0 <- c0 m + c1, c1 <- c1 m + c2, ... in registers: each reads its neighbour, or the compiler
 * would put one whole chain after the other and only latency would be measured.
 */
function multiplyAdd(type: "f32" | "vec4f", chains: number): BenchCase {
  const floats = type === "f32" ? 1 : 4;
  return {
    name: `multiply_add_${type === "f32" ? "f32" : "vec4"}x${chains}`,
    summary: `multiply-adds in registers, ${chains} chains of ${type} an invocation`,
    unit: "GFLOP/s",
    measures: "multiply_add",
    open(gpu) {
      // A CPU wants less work at once.
      const [groups, loops] = isCpu(gpu) ? [1024, 4] : [16384, 64];
      const round = range(chains).map((j) => `c${j} = c${j} * m + c${(j + 1) % chains};`).join(" ");
      const sum = range(chains).map((j) => `c${j}`).join(" + ");
      const kernel: Kernel = {
        name: `bench.multiplyAdd.${type}x${chains}`,
        bindings: { result: { type: "f32", access: "write" } },
        params: { step: "f32" },
        workgroupSize: [STREAM_WORKGROUP, 1, 1],
        wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let m = ${type}(f32(global.x) * params.step);
  ${range(chains).map((j) => `var c${j} = m + ${j}.0;`).join("\n  ")}
  for (var i = 0u; i < ${loops}u; i++) {
    ${range(UNROLLED).map(() => round).join("\n    ")}
  }
  let sum = ${sum};
  result[global.x] = ${type === "f32" ? "sum" : "sum.x + sum.y + sum.z + sum.w"};
}`,
      };
      const lanes = groups * STREAM_WORKGROUP;
      return programRun(gpu, {
        work: 2 * lanes * loops * UNROLLED * chains * floats,
        inputs: [],
        record(capture) {
          const result = capture.transient([lanes], "sums");
          const workgroups: [number, number, number] = [groups, 1, 1];
          capture.dispatch({ kernel, bindings: { result }, params: { step: 1e-9 }, workgroups });
          return { result };
        },
        async validate(read) {
          // In the first invocation m is 0, so chains only hand their values on.
          const chain = range(chains).map(Number);
          for (let i = 0; i < loops * UNROLLED; i++) {
            for (let j = 0; j < chains; j++) chain[j] = chain[(j + 1) % chains]!;
          }
          const expected = floats * chain.reduce((sum, value) => sum + value);
          const values = await read("result");
          assertEquals(values[0], expected);
        },
      });
    },
  };
}

/** Floats of the copies: more than any cache holds. */
const COPIED = 16 << 20;

const copyVec4: BenchCase = {
  name: "copy_vec4",
  summary: "a kernel that copies 64 MiB, one vec4 an invocation",
  unit: "GB/s",
  measures: "copy_vec4",
  open(gpu) {
    const data = randomValues(COPIED);
    const x = upload(gpu, [COPIED], data);
    return programRun(gpu, {
      work: 8 * COPIED,
      inputs: [x],
      record: (capture) => ({ y: recordCopy(capture, x) }),
      validate: async (read) => checkCopy(await read("y"), data),
    });
  },
};

function recordCopy(capture: Capture, x: TensorRef): TensorRef {
  const y = capture.transient(x.shape, "copy");
  const items = sizeOf(x.shape) / 4;
  capture.dispatch({
    kernel: {
      name: "bench.copy",
      bindings: { x: { type: "vec4f", access: "read" }, y: { type: "vec4f", access: "write" } },
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i < params.items) { y[i] = x[i]; }
}`,
    },
    bindings: { x, y },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}

function checkCopy(actual: Float32Array, expected: Float32Array): void {
  const differs = expected.findIndex((value, i) => actual[i] !== value);
  assertEquals(differs, -1, `the copy differs at element ${differs}`);
}

const copyBuffer: BenchCase = {
  name: "copy_buffer",
  summary: "copyBufferToBuffer of 64 MiB",
  unit: "GB/s",
  open(gpu) {
    const data = randomValues(COPIED);
    const from = upload(gpu, [COPIED], data), to = gpu.tensor([COPIED]);
    return {
      work: 8 * COPIED,
      start: () => Promise.resolve(),
      run() {
        if (from.storage.kind !== "buffer" || to.storage.kind !== "buffer") return;
        const encoder = gpu.device.createCommandEncoder();
        encoder.copyBufferToBuffer(from.storage.buffer, 0, to.storage.buffer, 0, 4 * COPIED);
        gpu.device.queue.submit([encoder.finish()]);
      },
      validate: async () => checkCopy(await gpu.readF32(to), data),
      destroy: () => [from, to].forEach((tensor) => gpu.destroyTensor(tensor)),
    };
  },
};

/** Dispatches of a call of the floor. */
const FLOOR_DISPATCHES = 500;

const dispatchFloor: BenchCase = {
  name: "dispatch",
  summary: "one of 500 dispatches of one workgroup that depend on each other",
  unit: "us",
  open(gpu) {
    const count = gpu.tensor([STREAM_WORKGROUP]);
    const kernel: Kernel = {
      name: "bench.count",
      bindings: { count: { type: "f32", access: "read_write" } },
      params: {},
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) { count[global.x] += 1.0; }`,
    };
    return {
      ...programRun(gpu, {
        parts: FLOOR_DISPATCHES,
        inputs: [count],
        record(capture) {
          for (let i = 0; i < FLOOR_DISPATCHES; i++) {
            capture.dispatch({ kernel, bindings: { count }, params: {}, workgroups: [1, 1, 1] });
          }
          return { count };
        },
        async validate() {
          assertEquals((await gpu.readF32(count))[0], FLOOR_DISPATCHES);
        },
      }),
      dispatches: () => FLOOR_DISPATCHES,
    };
  },
};

/** A round trip as peers measure it: one is added to 2^17 floats and one of them is read. */
const sync: BenchCase = {
  name: "sync",
  summary: "a pass over 2^17 floats, submitted, and one float read back",
  unit: "ms",
  open(gpu): BenchRun {
    const x = gpu.tensor([1 << 17]);
    const inner = programRun(gpu, {
      inputs: [x],
      record(capture) {
        capture.dispatch({
          kernel: {
            name: "bench.addOne",
            bindings: { x: { type: "vec4f", access: "read_write" } },
            params: {},
            workgroupSize: [STREAM_WORKGROUP, 1, 1],
            wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) { x[global.x] += 1.0; }`,
          },
          bindings: { x },
          params: {},
          workgroups: [(1 << 15) / STREAM_WORKGROUP, 1, 1],
        });
        return { x };
      },
      validate: () => Promise.resolve(),
    });
    const first: TensorRef = { ...x, shape: [1] };
    return {
      ...inner,
      async run() {
        await inner.run();
        await gpu.read(first);
      },
      async validate() {
        assertEquals((await gpu.readF32(x)).at(-1), 1);
      },
    };
  },
};

/** The adapter's limits. */
export const CEILINGS: readonly BenchCase[] = [
  multiplyAdd("f32", 12),
  multiplyAdd("vec4f", 6),
  copyVec4,
  copyBuffer,
  dispatchFloor,
  sync,
];
