/**
 * Whether a CPU driver's broadcasts are slow: those of Mesa 25 and 26 are loops over the lanes, which take
 * 5 to 10 times as long as the multiply-adds that they feed, unless vectors have eight floats. So those of
 * SSE and of 16 floats are slow there, and fast with Mesa 22.3. Nothing tells the driver's
 * version, so it is measured.
 *
 * @module
 */
import { isCpu } from "./cpu_lanes.ts";
import { full } from "./element.ts";
import type { Gpu } from "./gpu.ts";
import { defineKernel, type Kernel, packParams } from "./kernel.ts";

/** Steps of an invocation, and workgroups: half a millisecond of one core without broadcasts. */
const STEPS = 256, WORKGROUPS = 64;

/** Runs of either kind, of which the fastest counts: more where broadcasts seem slow, which may be chance. */
const LEAST_RUNS = 4, MOST_RUNS = 12;

/** Times as long as without broadcasts from which they are slow; measured are 1.2 to 1.3 and 4.7 to 11. */
const SLOW = 2.5;

/**
 * Measures it: 4 to 7 ms, 50 to 90 where they are slow, and 0.1 s where the kernel must be compiled.
 *
 * @returns False on a graphics card, or one without subgroups.
 */
export async function hasSlowBroadcasts(gpu: Gpu): Promise<boolean> {
  if (!isCpu(gpu)) return false;
  const { device, constants: { GPUBufferUsage: usage } } = gpu;
  const kernel = broadcastKernel(gpu.subgroupSize);
  const pipeline = await gpu.pipeline(kernel);
  const result = gpu.createBuffer(16 * gpu.subgroupSize * WORKGROUPS, "broadcasts");
  const params = gpu.createBuffer(16, "broadcasts' parameters", usage.UNIFORM | usage.COPY_DST);
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [result, params].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const run = async (broadcasts: 0 | 1) => {
    device.queue.writeBuffer(params, 0, packParams(kernel, { broadcasts, steps: STEPS }));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(WORKGROUPS);
    pass.end();
    const start = performance.now();
    gpu.submit([encoder.finish()]);
    await gpu.finish();
    return performance.now() - start;
  };
  // The first run compiles.
  await run(1);
  let without = Infinity, broadcast = Infinity;
  const isSlow = () => broadcast > SLOW * without;
  for (let i = 0; i < LEAST_RUNS || (i < MOST_RUNS && isSlow()); i++) {
    without = Math.min(without, await run(0));
    broadcast = Math.min(broadcast, await run(1));
  }
  for (const buffer of [result, params]) gpu.destroyBuffer(buffer);
  return isSlow();
}

/** Multiply-adds as in a matrix product, of factors that are broadcast or the invocation's own. */
function broadcastKernel(lanes: number): Kernel {
  const four = [0, 1, 2, 3];
  const products = (factor: (component: number, lane: number) => string) =>
    four.flatMap((lane) =>
      four.map((component) => `c${component} += ${factor(component, lane)} * b;`)
    ).join(" ");
  return defineKernel({
    name: `broadcasts.${lanes}`,
    bindings: { result: { type: full(4), access: "write" } },
    params: { broadcasts: "u32", steps: "u32" },
    workgroupSize: [lanes, 1, 1],
    subgroups: true,
    wgsl: `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) {
  var a = vec4f(f32(global.x));
  let b = a + 1.0;
  ${four.map((i) => `var c${i} = vec4f();`).join(" ")}
  if (params.broadcasts == 1u) {
    for (var i = 0u; i < params.steps; i++) {
      ${products((component, lane) => `subgroupBroadcast(a[${component}], ${lane}u)`)}
      a = a.yzwx;
    }
  } else {
    for (var i = 0u; i < params.steps; i++) {
      ${products((component) => `a[${component}]`)}
      a = a.yzwx;
    }
  }
  result[global.x] = c0 + c1 + c2 + c3;
}`,
  });
}
