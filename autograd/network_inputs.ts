/**
 * What a denoising network is given. It stands here because model/, which makes networks, and
 * diffusion/, which asks them, do not import each other.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import type { InputValues } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { Graph } from "./graph.ts";
import { Tensor } from "./tensor.ts";

/**
 * What may be known of an image beside its noise: a class is a whole number below the number of
 * classes, u32 `[N]`; numbers are f32 `[N, size]`.
 */
export const CONDITIONS = {
  /** What is to be seen, 0 for the first class. */
  labels: "class",
  /**
   * How the image was augmented: 1 where it is mirrored, then what was drawn (data/augmentation/), then
   * zeros; all zeros while sampling.
   */
  augment: "numbers",
} as const satisfies Readonly<Record<string, "class" | "numbers">>;

/** @internal */
type Known = keyof typeof CONDITIONS;

/** Something that may be known of an image. */
export type ConditionName = Known;

/** What a network wants to know, with the number of classes or of numbers; nothing else is made. */
export type Conditioning = { readonly [C in ConditionName]?: number } & {
  /**
   * Probability that a class is withheld in training; 0 unless given. Where it is more, the network
   * also takes the number of classes for a label: no class.
   */
  readonly labelDropout?: number;
  /** Whether it takes the clean images that it predicted before; false unless given. */
  readonly selfCondition?: boolean;
};

/** What is known of each image of a batch. */
export type Conditions = { readonly [C in ConditionName]?: TensorRef };

/** What is known of one image. */
export type ConditionValue<C extends ConditionName> = typeof CONDITIONS[C] extends "class" ? number
  : readonly number[];

/** What is known of images by their place in a batch. */
export type ConditionValues = { readonly [C in ConditionName]?: (i: number) => ConditionValue<C> };

/** Noise levels: given, or a tensor that gradients flow to where they are learned. */
export type LevelInput = TensorRef | Tensor;

/** Levels as a tensor of the graph, with their gradient if they have one. */
export function levelTensor(graph: Graph, level: LevelInput): Tensor {
  return level instanceof Tensor ? level : graph.constant(level);
}

/**
 * Levels for what has no gradient with respect to them.
 *
 * @throws {RangeError} When one is wanted.
 */
export function givenLevels(graph: Graph, level: LevelInput): TensorRef {
  const { needsGrad, ref } = levelTensor(graph, level);
  if (!needsGrad) return ref;
  throw new RangeError(
    "Cannot learn the noise schedule with this network: what it makes of noise levels has no gradient " +
      "with respect to them; lucid, lucid-karras, ho2020, guided, dit, edm, edm2 and mlp have one",
  );
}

/** The inputs of a batch of N images. */
export interface NetworkInputs extends Conditions {
  /** Noisy images `[N, H, W, C]`, f32. */
  readonly x: Tensor;
  /**
   * Their noise levels `[N]`: timesteps, u32, where the process counts them; else what the process
   * tells networks of a level, f32.
   */
  readonly level: LevelInput;
  /** Clean images predicted before, of the shape of `x`; for networks that know of it. */
  readonly selfCondition?: Tensor;
  /**
   * For who reads a network of two outputs, noise and image: shares of `x` and of that noise in the clean
   * image, f32 `[N, 2]`. Not given where a process has networks of one.
   */
  readonly noiseBranch?: TensorRef;
  /** Which of its networks a chain is asked, 0 for that of the least noise. */
  readonly stage?: number | undefined;
}

/** Inputs of a capture for what a network wants to know of `n` images, named as the conditions. */
export function conditionInputs(
  capture: Capture,
  n: number,
  conditioning: Conditioning = {},
): Conditions {
  return Object.fromEntries(
    wanted(conditioning).map(([name, size]) => [
      name,
      CONDITIONS[name] === "class"
        ? capture.input(name, [n], "u32")
        : capture.input(name, [n, size]),
    ]),
  );
}

/** Values of {@linkcode conditionInputs}; zeros where nothing is known. */
export function conditionValues(
  n: number,
  conditioning: Conditioning = {},
  known: ConditionValues = {},
): InputValues {
  return Object.fromEntries(
    wanted(conditioning).map(([name, size]) => {
      const value = known[name] as ((i: number) => number | readonly number[]) | undefined;
      const columns = CONDITIONS[name] === "class" ? 1 : size;
      const rows = CONDITIONS[name] === "class"
        ? new Uint32Array(n)
        : new Float32Array(n * columns);
      for (let i = 0; value && i < n; i++) {
        rows.set([value(i)].flat().slice(0, columns), i * columns);
      }
      return [name, rows];
    }),
  );
}

function wanted(conditioning: Conditioning): [name: ConditionName, size: number][] {
  const names = Object.keys(CONDITIONS) as ConditionName[];
  return names.map((name): [ConditionName, number] => [name, conditioning[name] ?? 0])
    .filter(([, size]) => size > 0);
}
