/**
 * Pipelines: made once for each distinct shader of a device.
 *
 * @module
 */
import { BYTES, partsOf } from "./element.ts";
import { type BindingSpec, extensionsOf, type Kernel, shaderCode } from "./kernel.ts";
import { MATRIX_FEATURE } from "./matrix_units.ts";
import { operandFormat } from "./operand_format.ts";
import type { GpuConstants } from "./provider.ts";

/** What pipelines depend on. */
export interface PipelineMaker {
  readonly device: GPUDevice;
  readonly constants: GpuConstants;
  /** Extensions that the compiler wants to be enabled by a directive. */
  readonly enables: ReadonlySet<string>;
  /** Lanes of a subgroup, or 0. */
  readonly subgroupSize: number;
  /** Counts what is made. */
  readonly counters: { pipelines: number; shaderModules: number };
}

/** The pipelines of a device. */
export class Pipelines {
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #layouts = new Map<string, GPUPipelineLayout>();

  constructor(private readonly maker: PipelineMaker) {}

  /**
   * The pipeline of a kernel.
   *
   * @param readOnly Numbers of the bindings that it may not write; see {@linkcode shaderCode}.
   * @throws {Error} With the kernel's name when the driver refuses the shader.
   */
  async get(kernel: Kernel, readOnly: ReadonlySet<number>): Promise<GPUComputePipeline> {
    const { device, counters, enables } = this.maker;
    const code = shaderCode(kernel, enables, readOnly);
    const known = this.#pipelines.get(code);
    if (known) return known;
    this.#check(kernel);
    device.pushErrorScope("validation");
    counters.shaderModules++;
    const module = device.createShaderModule({ code, label: kernel.name });
    counters.pipelines++;
    const pipeline = device.createComputePipeline({
      label: kernel.name,
      layout: this.#layout(kernel, readOnly),
      compute: { module, entryPoint: "main" },
    });
    const error = await device.popErrorScope();
    if (error) throw new Error(`Cannot build kernel ${kernel.name}: ${error.message}`);
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }

  /**
   * The layout of a kernel's bindings, shared by kernels with the same. It is explicit because the
   * automatic one leaves out bindings that a shader declares and does not use, and it gives smallest
   * sizes because wgpu 29, left to compare them at each dispatch, remembers those of an earlier bind
   * group and refuses valid dispatches.
   */
  #layout(kernel: Kernel, readOnly: ReadonlySet<number>): GPUPipelineLayout {
    const { device, constants } = this.maker;
    const sizes = Object.values<BindingSpec>(kernel.bindings).map((spec) => {
      const { dtype, width } = partsOf(spec.type);
      return operandFormat(spec) ?? Math.max(4, BYTES[dtype] * width);
    });
    const uniformBytes = 4 * Object.keys(kernel.params).length;
    const key = `${sizes} ${uniformBytes} ${[...readOnly]}`;
    const known = this.#layouts.get(key);
    if (known) return known;
    const visibility = constants.GPUShaderStage.COMPUTE;
    const entries = sizes.map((size, binding): GPUBindGroupLayoutEntry => {
      if (typeof size === "string") {
        return { binding, visibility, storageTexture: { format: size, access: "read-only" } };
      }
      const type = readOnly.has(binding) ? "read-only-storage" : "storage";
      return { binding, visibility, buffer: { type, minBindingSize: size } };
    });
    if (uniformBytes > 0) {
      const buffer = { type: "uniform", minBindingSize: uniformBytes } as const;
      entries.push({ binding: entries.length, visibility, buffer });
    }
    const layout = device.createPipelineLayout({
      bindGroupLayouts: [device.createBindGroupLayout({ entries })],
    });
    this.#layouts.set(key, layout);
    return layout;
  }

  #check(kernel: Kernel): void {
    const { device: { limits, features }, subgroupSize } = this.maker;
    const [x, y, z] = kernel.workgroupSize;
    const fail = (what: string, most: number, got: number) => {
      throw new RangeError(
        `Cannot build kernel ${kernel.name}: ${what} must be at most ${most} on this adapter, got ${got}`,
      );
    };
    if (x * y * z > limits.maxComputeInvocationsPerWorkgroup) {
      fail("invocations of a workgroup", limits.maxComputeInvocationsPerWorkgroup, x * y * z);
    }
    const bytes = kernel.workgroupBytes ?? 0;
    if (bytes > limits.maxComputeWorkgroupStorageSize) {
      fail("bytes of workgroup memory", limits.maxComputeWorkgroupStorageSize, bytes);
    }
    const bindings = Object.keys(kernel.bindings).length;
    if (bindings > limits.maxStorageBuffersPerShaderStage) {
      fail("storage bindings", limits.maxStorageBuffersPerShaderStage, bindings);
    }
    const lacks = (what: string) => {
      throw new TypeError(`Cannot build kernel ${kernel.name}: the adapter must have ${what}`);
    };
    const extensions = extensionsOf(kernel);
    if (kernel.subgroups && subgroupSize === 0) lacks("subgroups of one size");
    if (kernel.matrices && !features.has(MATRIX_FEATURE as GPUFeatureName)) {
      lacks(`the feature ${MATRIX_FEATURE}`);
    }
    if (extensions.includes("f16") && !features.has("shader-f16")) lacks("the feature shader-f16");
  }
}
