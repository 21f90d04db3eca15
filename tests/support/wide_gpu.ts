/**
 * The test GPU under another subgroup size, so that launchers choose the variants that they would
 * choose on a graphics card; these run on any adapter.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";

/** A capture over `capture` whose GPU claims subgroups of `size`; dispatches and constants go to
 * `capture`. */
export function withSubgroupSize(capture: Capture, size: number): Capture {
  const pretend = (gpu: Gpu) =>
    new Proxy(gpu, {
      get(target, name) {
        if (name === "subgroupSize") return size;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const wide = new Capture(pretend(capture.gpu), capture.name);
  wide.dispatch = (args) => capture.dispatch(args);
  wide.constant = (...args) => capture.constant(...args);
  return wide;
}
