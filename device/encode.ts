/**
 * From recorded dispatches to what a pass takes: pipelines, bind groups and the block of parameters,
 * made once.
 *
 * @module
 */
import type { Dispatch, Recording } from "./dispatch.ts";
import { copiesOf, createTextures, type OperandCopy } from "./operand_textures.ts";
import { byteLengthOf, type TensorRef } from "./tensor.ts";
import { placeOperands } from "./texture_slots.ts";

/** A range of a buffer. */
export interface Place {
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
}

/** A dispatch ready to be encoded. */
export interface EncodedDispatch {
  readonly name: string;
  readonly bindings: Dispatch["bindings"];
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
  /** Copies of operands into textures, made first. */
  readonly copies: readonly OperandCopy[];
}

/**
 * Encodes dispatches in as few passes as their copies allow, setting only what changes.
 *
 * @param descriptor Of the first pass; a name for each of the others would cost more than it tells.
 */
export function encodeInto(
  encoder: GPUCommandEncoder,
  list: readonly EncodedDispatch[],
  descriptor: GPUComputePassDescriptor,
): void {
  let pass: GPUComputePassEncoder | undefined;
  let pipeline: GPUComputePipeline | undefined;
  let next: GPUComputePassDescriptor | undefined = descriptor;
  for (const dispatch of list) {
    if (dispatch.copies.length > 0) {
      pass?.end();
      pass = undefined;
      for (const { source, destination, size } of dispatch.copies) {
        encoder.copyBufferToTexture(source, destination, size);
      }
    }
    if (!pass) {
      pass = encoder.beginComputePass(next);
      next = undefined;
      pipeline = undefined;
    }
    if (dispatch.pipeline !== pipeline) pass.setPipeline(pipeline = dispatch.pipeline);
    pass.setBindGroup(0, dispatch.bindGroup);
    const { workgroups } = dispatch;
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
  }
  pass?.end();
}

/** All dispatches' parameters in one uniform buffer, equal blocks stored once. */
interface UploadedParams {
  readonly buffer: GPUBuffer | undefined;
  /** Where each dispatch's block begins, -1 where it has none. */
  readonly offsets: readonly number[];
}

/**
 * Makes the pipelines, bind groups and parameters of a recording.
 *
 * @param locate Where a tensor's bytes are.
 * @returns The dispatches, and the buffers and textures that were made for them.
 */
export async function encodeAll(
  recording: Recording,
  locate: (tensor: TensorRef) => Place,
): Promise<{ encoded: EncodedDispatch[]; buffers: GPUBuffer[]; textures: readonly GPUTexture[] }> {
  const { gpu } = recording;
  const { buffer, offsets } = uploadParams(recording);
  const placed = placeOperands(recording);
  const textures = createTextures(recording, placed);
  const views = new Map([...textures].map(([slot, texture]) => [slot, texture.createView()]));
  const encoded: EncodedDispatch[] = [];
  for (const [index, { kernel, bindings, params, workgroups }] of recording.dispatches.entries()) {
    const places = bindings.map(({ tensor }) => {
      const { buffer, byteOffset: offset } = locate(tensor);
      return { buffer, offset, size: byteLengthOf(tensor) };
    });
    const operands = placed[index]!;
    const pipeline = await gpu.pipeline(kernel, readOnlyBindings(bindings, places, operands));
    const resources: GPUBindingResource[] = [...places];
    const copies = operands.flatMap((operand) => {
      const { binding, slot } = operand;
      resources[binding] = views.get(slot)!;
      return copiesOf(operand, places[binding]!, textures.get(slot)!);
    });
    const offset = offsets[index]!;
    if (offset >= 0 && buffer) resources.push({ buffer, offset, size: params.byteLength });
    gpu.device.pushErrorScope("validation");
    gpu.counters.bindGroups++;
    const bindGroup = gpu.device.createBindGroup({
      label: kernel.name,
      layout: pipeline.getBindGroupLayout(0),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
    const error = await gpu.device.popErrorScope();
    if (error) throw new Error(`Cannot bind kernel ${kernel.name}: ${error.message}`);
    encoded.push({ name: kernel.name, bindings, pipeline, bindGroup, workgroups, copies });
  }
  return { encoded, buffers: buffer ? [buffer] : [], textures: [...textures.values()] };
}

/**
 * Numbers of the bindings that must be declared read-only. Two writable ones may not overlap, even
 * where the kernel writes neither; a buffer that nothing writes in a dispatch may be bound read-only as
 * often as one likes, and then all of its bindings must be.
 */
function readOnlyBindings(
  bindings: Dispatch["bindings"],
  places: readonly { buffer: GPUBuffer; offset: number; size: number }[],
  operands: readonly { readonly binding: number }[],
): Set<number> {
  const overlap = (i: number, j: number) => {
    const a = places[i]!, b = places[j]!;
    return i !== j && a.buffer === b.buffer && a.offset < b.offset + b.size &&
      b.offset < a.offset + a.size;
  };
  const numbers = places.map((_, i) => i).filter((i) =>
    !operands.some(({ binding }) => binding === i)
  );
  const found = new Set<number>();
  for (const i of numbers) {
    if (!numbers.some((j) => overlap(i, j))) continue;
    const same = numbers.filter((j) => places[j]!.buffer === places[i]!.buffer);
    if (same.some((j) => bindings[j]!.access !== "read")) continue;
    for (const j of same) found.add(j);
  }
  return found;
}

function uploadParams({ gpu, name, dispatches }: Recording): UploadedParams {
  const alignment = Math.max(gpu.limits.minUniformBufferOffsetAlignment, 16);
  const known = new Map<string, number>();
  const blocks: { offset: number; bytes: ArrayBuffer }[] = [];
  let size = 0;
  const offsets = dispatches.map(({ params }) => {
    if (params.byteLength === 0) return -1;
    const key = new Uint32Array(params).join();
    const found = known.get(key);
    if (found !== undefined) return found;
    const offset = size;
    known.set(key, offset);
    blocks.push({ offset, bytes: params });
    size += Math.ceil(params.byteLength / alignment) * alignment;
    return offset;
  });
  if (size === 0) return { buffer: undefined, offsets };
  const host = new Uint8Array(size);
  for (const { offset, bytes } of blocks) host.set(new Uint8Array(bytes), offset);
  const { UNIFORM, COPY_DST } = gpu.constants.GPUBufferUsage;
  const buffer = gpu.createBuffer(size, `${name} parameters`, UNIFORM | COPY_DST);
  gpu.device.queue.writeBuffer(buffer, 0, host);
  return { buffer, offsets };
}
