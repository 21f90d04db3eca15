/**
 * The test GPU under another subgroup size, so that launchers choose the variants that they would
 * choose on a graphics card; these run on any adapter.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { variantPolicy } from "../../kernels/shared/variants.ts";

/**
 * Whether kernels are right under a size that is pretended: those of subgroups, which a forced family may be
 * of, believe it.
 */
export function canPretend(gpu: Gpu, size: number): boolean {
  const { forced } = variantPolicy(gpu);
  return size === gpu.subgroupSize || (forced !== "subgroup" && forced !== "texture");
}

/** `capture` with a GPU that claims subgroups of `size`. */
export function withSubgroupSize(capture: Capture, size: number): Capture {
  return pretending(capture, "gpu", pretending(capture.gpu, "subgroupSize", size));
}

/** `object` with another value of one property; its methods do not know. */
export function pretending<T extends object, K extends keyof T>(
  object: T,
  property: K,
  instead: T[K],
): T {
  return new Proxy(object, {
    get(target, name) {
      if (name === property) return instead;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
