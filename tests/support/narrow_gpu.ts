/**
 * A GPU with a lower limit than the adapter's.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";

/** A GPU that binds so many bytes at most. */
export function withBinding(gpu: Gpu, maxStorageBufferBindingSize: number): Gpu {
  const replaced = <T extends object>(object: T, values: Record<string, unknown>): T =>
    new Proxy(object, {
      get(target, name) {
        if (typeof name === "string" && name in values) return values[name];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return replaced(gpu, { limits: replaced(gpu.limits, { maxStorageBufferBindingSize }) });
}
