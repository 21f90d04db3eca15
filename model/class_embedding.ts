/**
 * How a network is told a class: a table with a row for each, and one more for no class where classes
 * are withheld in training (Ho and Salimans 2022, arXiv 2207.12598).
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import type { Conditioning } from "../autograd/network_inputs.ts";
import { add } from "../autograd/ops/add.ts";
import { gatherRows } from "../autograd/ops/gather_rows.ts";
import { type Initializer, Parameter } from "../autograd/parameter.ts";
import type { Tape } from "../autograd/tensor.ts";
import type { TensorRef } from "../device/tensor.ts";
import { type Check, decimal, integer, option } from "../support/options.ts";
import { gaussian } from "./init.ts";
import { Module } from "./module.ts";

/** Keys of a config, for networks that may be told classes. */
export const CLASS_OPTIONS = {
  classes: option(integer({ min: 0 }), 0, "Classes that it is told of; 0 = none"),
  labelDropout: option(
    decimal({ min: 0, below: 1 }),
    0,
    "Probability that a class is withheld in training, for guidance while sampling",
  ),
};

/** Values of {@linkcode CLASS_OPTIONS}. */
export interface ClassOptions {
  readonly classes: number;
  readonly labelDropout: number;
}

/** Classes that it isn't told can't be withheld. */
export const classesCanBeWithheld: Check<ClassOptions> = ({ classes, labelDropout }, at) =>
  classes > 0 || labelDropout === 0
    ? null
    : { key: "labelDropout", rule: `be 0 where ${at("classes")} is 0` };

/** What a network of such options wants to know. */
export function classConditioning({ classes, labelDropout }: ClassOptions): Conditioning {
  return { labels: classes, labelDropout };
}

/**
 * The embedding of time with that of the class added, for networks that have one.
 *
 * @throws {TypeError} When it has one and there are no classes.
 */
export function withClass(
  time: Tensor,
  embedding: ClassEmbedding | undefined,
  labels: TensorRef | undefined,
): Tensor {
  if (!embedding) return time;
  if (!labels) throw new TypeError("Cannot run a network with classes: each image must have one");
  return add(time, embedding.forward(time.graph, labels));
}

/** Classes to vectors. */
export class ClassEmbedding extends Module {
  readonly table: Parameter;

  /**
   * @param outputs Size of the embedding.
   * @param init How the table starts.
   */
  constructor(
    { classes, labelDropout }: ClassOptions,
    outputs: number,
    init: Initializer = gaussian(0.02),
  ) {
    super();
    this.table = new Parameter([classes + (labelDropout > 0 ? 1 : 0), outputs], init);
  }

  /** u32 `[N]` to `[N, outputs]`; the number of classes stands for none. */
  forward(graph: Tape, labels: TensorRef): Tensor {
    return gatherRows(graph.parameter(this.table), graph.constant(labels));
  }
}
