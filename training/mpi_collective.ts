/**
 * The ranks of an MPI job as a collective. Gradients are added in pieces, each scattered and gathered
 * again: every rank gets its part of the piece from all others, adds in the order of ranks and hands
 * the sum out. A rank sends `2 (p - 1) / p` of the bytes, as in a ring, whatever the library, and while
 * one piece travels the next is read.
 *
 * @module
 */
import { BYTES } from "../device/element.ts";
import type { Gpu } from "../device/gpu.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import type { Mpi } from "../support/mpi.ts";
import { addInOrder, type Collective } from "./collective.ts";

/** Values that travel at once: long enough for the wire, short enough to overlap. */
const PIECE = 1 << 20;

/** Stages of a card's gradients. A CPU driver has no time to spare: who waits in MPI keeps a core busy. */
const STAGES = 4;

/** The ranks of `mpi`, whose gradients are on `gpu`. */
export function mpiCollective(mpi: Mpi, gpu: Gpu): Collective {
  return new MpiCollective(mpi, gpu);
}

class MpiCollective implements Collective {
  readonly #stop = new AbortController();
  #wish: AbortSignal | undefined;

  constructor(private readonly mpi: Mpi, private readonly gpu: Gpu) {}

  get rank(): number {
    return this.mpi.rank;
  }

  get size(): number {
    return this.mpi.size;
  }

  get stages(): number {
    return this.gpu.info.isFallbackAdapter ? 1 : STAGES;
  }

  async allReduce(stages: Iterable<readonly TensorRef[]>): Promise<void> {
    // One piece after the other, as ranks must make their calls in one order.
    let travel = Promise.resolve();
    for (const ready of stages) {
      // What the stage before left travels while the GPU works; a read could hold this thread up.
      await travel;
      for (const piece of ready.flatMap(cut)) {
        const own = await this.gpu.readF32(piece);
        travel = travel.then(async () => this.gpu.write(piece, await this.#add(own)));
        // Heard of below.
        travel.catch(() => {});
      }
    }
    await travel;
    // Last, as a rank that waits in MPI keeps a core from its own GPU, where that is a CPU driver.
    const wishes = await this.gather(Float32Array.of(this.#wish?.aborted ? 1 : 0));
    if (wishes.some(([wish]) => wish === 1)) this.#stop.abort();
  }

  async gather(values: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>[]> {
    const received = new Float32Array(values.length * this.size);
    await this.mpi.gather(values, received);
    return pieces(received, this.size);
  }

  agree(wish: AbortSignal): AbortSignal {
    this.#wish = wish;
    return this.#stop.signal;
  }

  async #add(own: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
    const { size } = this;
    const share = Math.ceil(own.length / size);
    const sent = new Float32Array(share * size), received = new Float32Array(share * size);
    sent.set(own);
    await this.mpi.exchange(sent, received);
    await this.mpi.gather(addInOrder(pieces(received, size)), sent);
    return sent.subarray(0, own.length);
  }
}

/** Equal pieces of an array, in the same memory. */
function pieces(values: Float32Array<ArrayBuffer>, count: number): Float32Array<ArrayBuffer>[] {
  const length = values.length / count;
  return Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length));
}

/** A flat tensor as tensors of {@linkcode PIECE} values at most. */
function cut(chunk: TensorRef): TensorRef[] {
  const values = sizeOf(chunk.shape);
  return Array.from({ length: Math.ceil(values / PIECE) }, (_, i) => ({
    ...chunk,
    byteOffset: chunk.byteOffset + i * PIECE * BYTES[chunk.dtype],
    shape: [Math.min(PIECE, values - i * PIECE)],
  }));
}
