/**
 * A checkpoint of the page on the GPU, ready to be sampled from.
 *
 * @module
 */
import type { Arena } from "../../../device/arena.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { predictorOf } from "../../../diffusion/denoiser.ts";
import type { Guidance } from "../../../diffusion/guidance.ts";
import { isLearned } from "../../../diffusion/posterior.ts";
import { targetOutputs } from "../../../diffusion/parameterizations/registry.ts";
import { makeProcess, type Process } from "../../../diffusion/process.ts";
import { Sampler } from "../../../diffusion/sampling.ts";
import { fromHalf, type HalfDtype } from "../../../formats/half.ts";
import { readSafetensors } from "../../../formats/safetensors.ts";
import type { Network } from "../../../model/network.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import {
  createArena,
  type NamedValues,
  parameterSlots,
  writeArenas,
} from "../../../model/parameters.ts";
import type { SiteModel } from "../site.ts";

/** See the module. */
export class LoadedModel {
  readonly process: Process;
  #sampler: { readonly key: string; readonly sampler: Sampler } | undefined;

  private constructor(
    private readonly gpu: Gpu,
    readonly site: SiteModel,
    readonly network: Network,
    private readonly weights: Arena,
  ) {
    this.process = makeProcess(site.diffusion, site.size);
  }

  /**
   * Puts weights on the GPU.
   *
   * @param bytes The file of `site.weights`.
   * @throws {RangeError} When they are not of this network.
   */
  static create(gpu: Gpu, site: SiteModel, bytes: Uint8Array): LoadedModel {
    const { model, size, depth, diffusion: { timesteps, target } } = site;
    const outputs = targetOutputs(target, size.channels);
    const shape = { ...size, ...depth === undefined ? {} : { depth }, outputs, timesteps };
    const network = createNetwork(model, shape);
    const arena = createArena(gpu, "weights", network);
    writeArenas(gpu, [arena], valuesOf(bytes));
    return new LoadedModel(gpu, site, network, arena);
  }

  /** Classes that the network knows; 0 for none. */
  get classes(): number {
    return this.network.conditioning?.labels ?? 0;
  }

  /** Whether images can be guided to their class. */
  get guided(): boolean {
    return this.classes > 0 && (this.network.conditioning?.labelDropout ?? 0) > 0;
  }

  /** A sampler of batches of `count`; the same one as long as the same is asked for. */
  async sampler(count: number, guidance?: Guidance): Promise<Sampler> {
    const key = JSON.stringify([count, guidance]);
    if (this.#sampler?.key === key) return this.#sampler.sampler;
    this.#sampler?.sampler.destroy();
    this.#sampler = undefined;
    const { height, width, channels } = this.site.size;
    const sampler = await Sampler.create(this.gpu, {
      shape: [count, height, width, channels],
      parameters: parameterSlots(this.network, this.weights),
      ...predictorOf(this.network, isLearned(this.process.variance)),
      ...{ process: this.process, guidance },
    });
    this.#sampler = { key, sampler };
    return sampler;
  }

  /** Frees everything. */
  destroy(): void {
    this.#sampler?.sampler.destroy();
    this.weights.destroy(this.gpu);
  }
}

/** The tensors of a file as f32. */
function* valuesOf(bytes: Uint8Array): NamedValues {
  for (const [name, { dtype, data }] of readSafetensors(bytes).tensors) {
    yield [
      name,
      dtype === "F32"
        ? data as Float32Array<ArrayBuffer>
        : fromHalf(data as Uint16Array, dtype as HalfDtype),
    ];
  }
}
