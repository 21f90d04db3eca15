/**
 * A U-Net without attention, with batch normalisation and transposed convolutions: `FullUNet` of
 * xianyingkong/dsc-capstone-b05, after the DDPM notebook of dataflowr's course.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { type LevelInput, levelTensor } from "../../../autograd/network_inputs.ts";
import { add } from "../../../autograd/ops/add.ts";
import { batchNormEval, batchNormTrain } from "../../../autograd/ops/batch_norm.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { conv2dTransposed } from "../../../autograd/ops/conv2d_transposed.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { linear } from "../../../autograd/ops/matmul.ts";
import { maxPool2d } from "../../../autograd/ops/pool.ts";
import { relu } from "../../../autograd/ops/relu.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { fanInUniform, ones, zeros } from "../../init.ts";
import { Module } from "../../module.ts";
import type { Network, NetworkInputs, NetworkShape } from "../../network.ts";
import { sinusoidTable } from "../../time_embedding.ts";
import type { FullOptions } from "./options.ts";
import { notebookTable } from "./time_table.ts";

/** `y = x W + b` with PyTorch's initial weights. */
class Dense extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inputs: number, outputs: number) {
    super();
    this.weight = new Parameter([inputs, outputs], fanInUniform(inputs));
    this.bias = new Parameter([outputs], fanInUniform(inputs));
  }

  forward(x: Tensor): Tensor {
    return linear(x, x.graph.parameter(this.weight), x.graph.parameter(this.bias));
  }
}

/** A row of the table of timesteps to what is added to every pixel. */
class TimeLayers extends Module {
  readonly first: Dense;
  readonly second: Dense;

  constructor(columns: number, outputs: number) {
    super();
    this.first = new Dense(columns, outputs);
    this.second = new Dense(outputs, outputs);
  }

  /** `[N, columns]` to `[N, 1, 1, outputs]`. */
  forward(rows: Tensor): Tensor {
    const vectors = this.second.forward(silu(this.first.forward(rows)));
    const [n = 0, channels = 0] = vectors.shape;
    return reshape(vectors, [n, 1, 1, channels]);
  }
}

/** A convolution of 3x3 pixels. */
class Conv extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inputs: number, outputs: number) {
    super();
    this.weight = new Parameter([3, 3, inputs, outputs], fanInUniform(9 * inputs));
    this.bias = new Parameter([outputs], fanInUniform(9 * inputs));
  }

  forward(x: Tensor): Tensor {
    const { graph } = x;
    const bias = graph.parameter(this.bias);
    return conv2d(x, graph.parameter(this.weight), { bias, padding: [1, 1], blocked: true });
  }
}

/** Batch normalisation: by the batch in training, else by what training has gathered. */
class BatchNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Parameter;
  readonly runningVariance: Parameter;

  constructor(channels: number) {
    super();
    this.weight = new Parameter([channels], ones);
    this.bias = new Parameter([channels], zeros);
    this.runningMean = new Parameter([channels], zeros, false);
    this.runningVariance = new Parameter([channels], ones, false);
  }

  forward(x: Tensor): Tensor {
    const { graph } = x;
    const args = {
      weight: graph.parameter(this.weight),
      bias: graph.parameter(this.bias),
      mean: graph.parameter(this.runningMean),
      variance: graph.parameter(this.runningVariance),
    };
    return graph.training ? batchNormTrain(x, args) : batchNormEval(x, args);
  }
}

/** Convolution, batch normalisation and rectifier. */
class Unit extends Module {
  readonly conv: Conv;
  readonly norm: BatchNorm;

  constructor(inputs: number, outputs: number) {
    super();
    this.conv = new Conv(inputs, outputs);
    this.norm = new BatchNorm(outputs);
  }

  forward(x: Tensor): Tensor {
    return relu(this.norm.forward(this.conv.forward(x)));
  }
}

/** Two units, before which the timestep is added. */
export class Block extends Module {
  readonly time: TimeLayers;
  readonly units: Unit[];

  constructor(columns: number, inputs: number, outputs: number) {
    super();
    this.time = new TimeLayers(columns, inputs);
    this.units = [new Unit(inputs, outputs), new Unit(outputs, outputs)];
  }

  forward(x: Tensor, rows: Tensor): Tensor {
    return this.units.reduce((h, unit) => unit.forward(h), add(x, this.time.forward(rows)));
  }
}

/** Twice the resolution by a transposed convolution of 4x4 pixels. */
export class Double extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inputs: number, outputs: number) {
    super();
    // PyTorch counts the outputs of a transposed convolution as what goes in.
    this.weight = new Parameter([4, 4, outputs, inputs], fanInUniform(16 * outputs));
    this.bias = new Parameter([outputs], fanInUniform(16 * outputs));
  }

  forward(x: Tensor): Tensor {
    const { graph } = x;
    const bias = graph.parameter(this.bias);
    return conv2dTransposed(x, graph.parameter(this.weight), {
      bias,
      stride: 2,
      padding: [1, 1],
      blocked: true,
    });
  }
}

/** The network. Batch normalisation changes statistics in passing, so no block is ever run twice. */
export class FullUNet extends Module implements Network {
  /** The way down, finest first, and the middle. */
  readonly down: Block[];
  /** The way up, coarsest first. */
  readonly doubles: Double[];
  readonly up: Block[];
  readonly tail: Conv;

  constructor(readonly options: FullOptions, readonly shape: NetworkShape) {
    super();
    const { channels, channelMultipliers, timeChannels } = options;
    const widths = channelMultipliers.map((multiplier) => multiplier * channels);
    const [finest = channels] = widths;
    const last = widths.length - 1;
    this.down = widths.map((width, level) =>
      new Block(timeChannels, widths[level - 1] ?? shape.channels, width)
    );
    const ways = Array.from({ length: last }, (_, i) => {
      const width = widths[last - 1 - i]!, coarser = widths[last - i]!;
      return {
        double: new Double(coarser, width),
        block: new Block(timeChannels, 2 * width, width),
      };
    });
    this.doubles = ways.map(({ double }) => double);
    this.up = ways.map(({ block }) => block);
    this.tail = new Conv(finest, shape.outputs ?? shape.channels);
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, { x, level }: NetworkInputs): Tensor {
    const rows = this.#rows(graph, level);
    const skips: Tensor[] = [];
    let h = x;
    for (const [i, block] of this.down.entries()) {
      h = block.forward(i === 0 ? h : maxPool2d(h, { kernel: 2 }), rows);
      skips.push(h);
    }
    skips.pop();
    for (const [i, block] of this.up.entries()) {
      const skip = skips.pop()!;
      h = block.forward(concat(skip, this.doubles[i]!.forward(h)), rows);
    }
    return this.tail.forward(h);
  }

  /** `[N, timeChannels]` of timesteps `[N]`. */
  #rows(graph: Graph, level: LevelInput): Tensor {
    const levels = levelTensor(graph, level), { dtype } = levels.ref;
    if (dtype !== "u32") {
      throw new RangeError(
        `Cannot run the network: its table has rows for timesteps, u32, got levels of ${dtype}`,
      );
    }
    const { timeChannels, timeTable } = this.options;
    const shape = [this.shape.timesteps, timeChannels] as const;
    const table = graph.capture.table(
      `${timeTable} table of timesteps ${shape.join("x")}`,
      shape,
      () => timeTable === "notebook" ? notebookTable(...shape) : sinusoidTable(...shape),
    );
    return gatherRows(graph.constant(table), levels);
  }
}
