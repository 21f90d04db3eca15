/**
 * Losses beside the main one, each off unless its weight is above 0.
 *
 * @module
 */
import type { Graph, Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { mul } from "../../autograd/ops/mul.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  type FieldTable,
  type OptionsOf,
  type Section,
  section,
  withDefaults,
} from "../../support/options.ts";
import type { ProcessOnGpu } from "../level_tables.ts";
import type { Process } from "../process.ts";
import { AMPLITUDE } from "./amplitude.ts";
import { AMPLITUDE_PHASE } from "./amplitude_phase.ts";
import { FOCAL_FREQUENCY } from "./focal_frequency.ts";
import { levelFactors } from "./levels.ts";
import {
  type AuxiliaryLoss,
  type AuxiliaryRecord,
  type ImageSides,
  SHARED,
  type SharedSettings,
} from "./record.ts";
import { WAVELET } from "./wavelet.ts";

/** A new one is a file and a line here. */
const TABLE = {
  amplitude: AMPLITUDE,
  amplitudePhase: AMPLITUDE_PHASE,
  wavelet: WAVELET,
  focalFrequency: FOCAL_FREQUENCY,
} as const satisfies Readonly<Record<string, AuxiliaryRecord<never>>>;

type Fields<T> = {
  [N in keyof T]: T[N] extends { readonly options: infer F extends FieldTable }
    ? Section<typeof SHARED & F>
    : never;
};

/** The losses in a config. */
export const AUXILIARY = section(
  "Losses beside the main one, of the clean image that a prediction implies",
  Object.fromEntries(
    Object.entries(TABLE).map(([name, { description, options }]) => [
      name,
      section(`Loss of ${description}`, { ...SHARED, ...options }),
    ]),
  ) as unknown as Fields<typeof TABLE> & FieldTable,
);

/** @internal */
type Described = OptionsOf<Fields<typeof TABLE>>;

/** Options of the losses. */
export type AuxiliaryOptions = Described;

/** All off. */
export const NO_AUXILIARY: AuxiliaryOptions = withDefaults(AUXILIARY) as AuxiliaryOptions;

/** The losses that are on. */
function chosen(options: AuxiliaryOptions) {
  return Object.entries(TABLE).flatMap(([name, record]) => {
    const settings = options[name as keyof AuxiliaryOptions];
    return settings.weight > 0
      ? [{ name, record: record as AuxiliaryRecord<never>, settings: settings as SharedSettings }]
      : [];
  });
}

/** Whether any is on. */
export function usesAuxiliary(options: AuxiliaryOptions): boolean {
  return chosen(options).length > 0;
}

/** The key and rule of the first that does not fit images of a size, or null. */
export function auxiliaryMisfit(
  options: AuxiliaryOptions,
  size: ImageSides,
): { key: string; rule: string } | null {
  for (const { name, record, settings } of chosen(options)) {
    const broken = record.misfit?.(settings as never, size) ?? null;
    if (broken) return { key: `${name}.${broken.key}`, rule: broken.rule };
  }
  return null;
}

/** Tensors of a training step. */
export interface AuxiliaryInputs {
  /** Clean images `[n, h, w, c]`. */
  readonly x0: TensorRef;
  /** Noisy ones. */
  readonly xt: TensorRef;
  /** u32 `[n]`. */
  readonly timesteps: TensorRef;
  /** The network's output, of the shape of the images. */
  readonly prediction: Tensor;
}

/** The losses that are on, with their tables on the GPU. */
export class AuxiliaryLosses {
  readonly #losses = new Map<string, readonly AuxiliaryLoss[]>();
  readonly #factors: readonly Float64Array[];
  readonly #minus: Float64Array;

  constructor(
    private readonly gpu: Gpu,
    private readonly process: Process,
    private readonly options: AuxiliaryOptions,
  ) {
    this.#factors = chosen(options).map(({ record, settings: { weight, levels } }) =>
      levelFactors(process, levels, record.degree).map((factor) => weight * factor)
    );
    this.#minus = process.tables.toX0.output.map(() => -1);
  }

  /**
   * Records the losses of a batch.
   *
   * @returns `[n]`: their weighted sum for each sample.
   * @throws {RangeError} When one does not fit the size of the images.
   */
  record(graph: Graph, onGpu: ProcessOnGpu, inputs: AuxiliaryInputs): Tensor {
    const { x0, xt, timesteps, prediction } = inputs;
    const { toX0 } = this.process.tables;
    const terms = [
      { share: toX0.output, x: prediction },
      ...toX0.xt.some((share) => share !== 0) ? [{ share: toX0.xt, x: graph.constant(xt) }] : [],
    ];
    const clean = graph.constant(x0);
    let predicted: Tensor | undefined, residual: Tensor | undefined;
    const images = {
      predicted: () => predicted ??= onGpu.combineTensors(timesteps, terms),
      clean,
      residual: () =>
        residual ??= onGpu.combineTensors(timesteps, [
          ...terms,
          { share: this.#minus, x: clean },
        ]),
    };
    const [, height = 0, width = 0] = x0.shape;
    const parts = this.#lossesOf({ height, width }).map((loss, i) => {
      const factors = onGpu.gather(graph.capture, timesteps, this.#factors[i]!);
      return mul(loss.record(images), graph.constant(factors));
    });
    return parts.reduce((sum, part) => add(sum, part));
  }

  /** Frees the tables. */
  destroy(): void {
    for (const { owned } of [...this.#losses.values()].flat()) {
      for (const tensor of owned) this.gpu.destroyTensor(tensor);
    }
  }

  #lossesOf(size: ImageSides): readonly AuxiliaryLoss[] {
    const key = `${size.height} ${size.width}`;
    let losses = this.#losses.get(key);
    if (!losses) {
      losses = chosen(this.options).map(({ record, settings }) =>
        record.create(this.gpu, settings as never, size)
      );
      this.#losses.set(key, losses);
    }
    return losses;
  }
}
