/**
 * The training step that peers measure: a convolution from 3 to 64 channels, six times
 * h <- h + conv64(silu(groupnorm32(h))), a convolution back, mean squared error, Adam; 16 images of 16 x 16.
 *
 * @module
 */
import { Graph, type Tensor } from "../autograd/graph.ts";
import { mseLoss } from "../autograd/ops/losses.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { ADAM_SCALARS, adamScalars, adamStep } from "../kernels/optim/adam.ts";
import { Conv2d, GroupNorm } from "../model/layers.ts";
import { Module } from "../model/module.ts";
import { createArena, initialValues, parameterSlots, writeArenas } from "../model/parameters.ts";
import { randomValues, upload } from "../tests/support/gpu.ts";
import type { BenchCase, BenchRun } from "./bench_case.ts";
import { checkGradient } from "./gradient_check.ts";

const CHANNELS = 64;
const IMAGES = [16, 16, 16, 3] as const;
const ADAM = { decoupled: false, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 } as const;

class Block extends Module {
  readonly norm = new GroupNorm(CHANNELS, 32);
  readonly conv = new Conv2d(CHANNELS, CHANNELS, { kernel: 3 });

  forward(h: Tensor): Tensor {
    return this.conv.forward(this.norm.forward(h, { silu: true }), { residual: h });
  }
}

class PeerNetwork extends Module {
  readonly first = new Conv2d(3, CHANNELS, { kernel: 3 });
  readonly blocks = Array.from({ length: 6 }, () => new Block());
  readonly last = new Conv2d(CHANNELS, 3, { kernel: 3 });

  forward(x: Tensor): Tensor {
    return this.last.forward(
      this.blocks.reduce((h, block) => block.forward(h), this.first.forward(x)),
    );
  }
}

/** Multiply-adds of a forward pass. */
const MULTIPLY_ADDS = IMAGES[0] * IMAGES[1] * IMAGES[2] * 9 *
  (2 * 3 * CHANNELS + 6 * CHANNELS * CHANNELS);

function open(gpu: Gpu): BenchRun {
  const network = new PeerNetwork();
  const [weights, grads, m, v] = ["weights", "gradients", "m", "v"].map((label) =>
    createArena(gpu, label, network)
  );
  writeArenas(gpu, [weights!], initialValues(network, 1));
  const x = upload(gpu, IMAGES, randomValues(sizeOf(IMAGES), 1));
  const y = upload(gpu, IMAGES, randomValues(sizeOf(IMAGES), 2));
  const one = upload(gpu, [], [1]);
  let program: Program | undefined;
  let loss: TensorRef | undefined;
  let step = 0;
  const run = () => program!.run({ adam: adamScalars(ADAM, { step: ++step, lr: 1e-3 }) });
  return {
    work: 3 * 2 * MULTIPLY_ADDS,
    async start() {
      const capture = new Capture(gpu, "peers' step");
      const graph = new Graph(capture, {
        parameters: parameterSlots(network, weights!, grads),
        training: true,
      });
      const tensor = mseLoss(network.forward(graph.constant(x)), graph.constant(y));
      graph.backward(tensor, one);
      const scalars = capture.input("adam", [ADAM_SCALARS]);
      weights!.chunks.forEach((param, i) =>
        adamStep(
          capture,
          { param, grad: grads!.chunks[i]!, m: m!.chunks[i]!, v: v!.chunks[i]! },
          scalars,
          { ...one, shape: [1] },
          ADAM,
        )
      );
      loss = capture.keep(tensor.ref);
      program = await capture.plan();
    },
    run,
    dispatches: () => program!.dispatchCount,
    validate: () =>
      checkGradient(gpu, weights!, grads!, async () => {
        run();
        return (await program!.readF32(loss!))[0]!;
      }),
    destroy() {
      program?.destroy();
      for (const arena of [weights!, grads!, m!, v!]) arena.destroy(gpu);
      for (const tensor of [x, y, one]) gpu.destroyTensor(tensor);
    },
  };
}

/** The peers' training step. */
export const DDPM_STEP: readonly BenchCase[] = [{
  name: "ddpm_step",
  summary: "the peers' residual network, 16 images of 16 x 16, forward, backward and Adam",
  unit: "s/step",
  ceiling: "multiply_add",
  open,
}];
