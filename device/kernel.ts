/**
 * Kernels are data: a name, typed storage bindings, uniform parameters, a workgroup size and WGSL.
 * This file turns that data into a complete shader; the declarations of bindings and parameters are
 * written here, so a kernel's own text is only its functions.
 *
 * @module
 */
import { type ElementType, partsOf } from "./element.ts";
import { MATRIX_ENABLE } from "./matrix_units.ts";
import { declareOperand } from "./operand_format.ts";

/** How a kernel uses a binding; the WGSL declaration is `read_write` for all (see {@linkcode shaderCode}). */
export type Access = "read" | "write" | "read_write";

/** One storage binding: `array<type>`. */
export interface BindingSpec {
  /** Type of an element. */
  readonly type: ElementType;
  /** What the kernel does with it. */
  readonly access: Access;
  /** Whether it is read from a texture, as `NAME_at(index)`; see `device/operand_textures.ts`. */
  readonly textured?: boolean;
  /** Whether the tensor may be a joined one; see `TensorRef.seam`. */
  readonly joined?: boolean;
}

/** Types of uniform parameters, four bytes each. */
export type ParamType = "u32" | "i32" | "f32";

/** A compute kernel. `B` are its binding names, `P` its parameter names. */
export interface Kernel<B extends string = string, P extends string = string> {
  /** Name in errors and profiles; tells the specialisation too, as in `conv2d.sub16x4`. */
  readonly name: string;
  /** Storage bindings in binding order. In WGSL each is a global `array<type>` of that name. */
  readonly bindings: Readonly<Record<B, BindingSpec>>;
  /** Uniform parameters, constant in a plan: `params.name` in WGSL. */
  readonly params: Readonly<Record<P, ParamType>>;
  /** Invocations of a workgroup; `WX`, `WY`, `WZ` in WGSL. */
  readonly workgroupSize: readonly [number, number, number];
  /** Bytes of workgroup memory that the WGSL declares; Deno does not check it, so the launcher does. */
  readonly workgroupBytes?: number;
  /** Whether the WGSL uses subgroup operations. */
  readonly subgroups?: boolean;
  /** Whether it multiplies on matrix units, which takes subgroups too, of any size. */
  readonly matrices?: boolean;
  /** Functions, with `@compute @workgroup_size(WX, WY, WZ) fn main(...)` among them. */
  readonly wgsl: string;
}

/** Identity function that infers the binding and parameter names of a kernel. */
export function defineKernel<B extends string, P extends string>(
  kernel: Kernel<B, P>,
): Kernel<B, P> {
  return kernel;
}

/** A WGSL extension that kernels need. */
export type Extension = "f16" | "subgroups" | typeof MATRIX_ENABLE;

/** The extensions that a kernel uses. */
export function extensionsOf(kernel: Kernel): Extension[] {
  const half = Object.values<BindingSpec>(kernel.bindings).some(({ type }) =>
    partsOf(type).dtype === "f16"
  );
  const extensions: Extension[] = [];
  if (half) extensions.push("f16");
  if (kernel.subgroups || kernel.matrices) extensions.push("subgroups");
  if (kernel.matrices) extensions.push(MATRIX_ENABLE);
  return extensions;
}

/**
 * The complete WGSL of a kernel.
 *
 * Every storage binding is declared `read_write`, inputs included: transient tensors share buffers,
 * and WebGPU forbids a buffer to be bound read-only and writable in one dispatch even at disjoint
 * ranges. It costs nothing measurable. Two writable ones may not overlap, so those that do and are only
 * read are declared `read`.
 *
 * @param kernel The kernel.
 * @param enables Extensions that the compiler wants to be enabled by a directive.
 * @param readOnly Numbers of the bindings that are declared `read`.
 */
export function shaderCode(
  kernel: Kernel,
  enables: ReadonlySet<string>,
  readOnly: ReadonlySet<number> = new Set(),
): string {
  const lines = extensionsOf(kernel).filter((name) => enables.has(name)).map((name) =>
    `enable ${name};`
  );
  const [x, y, z] = kernel.workgroupSize;
  lines.push(`const WX = ${x}u;`, `const WY = ${y}u;`, `const WZ = ${z}u;`);
  let index = 0;
  for (const [name, spec] of Object.entries<BindingSpec>(kernel.bindings)) {
    const access = readOnly.has(index) ? "read" : "read_write";
    lines.push(
      spec.textured
        ? declareOperand(name, index, spec.type)
        : `@group(0) @binding(${index}) var<storage, ${access}> ${name}: array<${spec.type}>;`,
    );
    index++;
  }
  const params = Object.entries<ParamType>(kernel.params);
  if (params.length > 0) {
    lines.push(`struct Params { ${params.map(([name, type]) => `${name}: ${type}`).join(", ")} }`);
    lines.push(`@group(0) @binding(${index}) var<uniform> params: Params;`);
  }
  return `${lines.join("\n")}\n${kernel.wgsl}\n`;
}

/** Packs parameter values in declaration order, padded to 16 bytes as a uniform block must be. */
export function packParams(kernel: Kernel, values: Readonly<Record<string, number>>): ArrayBuffer {
  const entries = Object.entries<ParamType>(kernel.params);
  const view = new DataView(new ArrayBuffer(Math.ceil(entries.length / 4) * 16));
  entries.forEach(([name, type], i) => {
    const value = values[name];
    if (value === undefined) {
      throw new TypeError(`Cannot dispatch ${kernel.name}: parameter ${name} must be given`);
    }
    if (type === "f32") view.setFloat32(4 * i, value, true);
    else if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) {
      throw new RangeError(
        `Cannot dispatch ${kernel.name}: parameter ${name} must be a 32-bit integer, got ${value}`,
      );
    } else if (type === "u32") view.setUint32(4 * i, value, true);
    else view.setInt32(4 * i, value, true);
  });
  return view.buffer;
}
