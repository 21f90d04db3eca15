import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { ImageBank, indicesOf } from "../../training/image_bank.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

const SIZE = { height: 3, width: 5, channels: 3 }, LENGTH = 45, COUNT = 11;

/** A GPU whose largest binding holds only a few images. */
function narrowGpu(gpu: Gpu, maxStorageBufferBindingSize: number): Gpu {
  const { maxBufferSize } = gpu.limits;
  return Object.create(gpu, {
    limits: { value: { maxBufferSize, maxStorageBufferBindingSize } },
    tensor: { value: gpu.tensor.bind(gpu) },
    destroyTensor: { value: gpu.destroyTensor.bind(gpu) },
  });
}

const images = Uint8Array.from({ length: COUNT * LENGTH }, (_, i) => (i * 37) % 256);

function expected(index: number, flip: number): number[] {
  return Array.from({ length: LENGTH }, (_, i) => {
    const channel = i % 3, x = Math.floor(i / 3) % 5, y = Math.floor(i / 15);
    const from = index * LENGTH + (y * 5 + (flip ? 4 - x : x)) * 3 + channel;
    return (images[from]! / 255 - 0.5) / 0.5;
  });
}

for (const perChunk of [COUNT, 4, 1]) {
  Deno.test(`ImageBank.gather() finds and mirrors images, ${perChunk} in a tensor`, async () => {
    const gpu = await testGpu();
    const pixels = { images, count: COUNT, ...SIZE };
    const bank = new ImageBank(narrowGpu(gpu, perChunk * LENGTH + LENGTH - 1), pixels);
    const capture = new Capture(gpu, "gather");
    const result = capture.keep(bank.gather(capture, capture.input("images", [6], "u32")));
    const program = await capture.plan();
    const indices = Uint32Array.of(0, 10, 3, 4, 4, 7), flips = Uint8Array.of(0, 1, 1, 0, 1, 0);
    program.run({ images: indicesOf({ indices, flips, epoch: 0 }) });
    const values = await program.readF32(result);
    assertAllClose(values, [...indices].flatMap((index, i) => expected(index, flips[i]!)));
    program.destroy();
    bank.destroy();
  });
}

Deno.test("indicesOf() sets the highest bit of what is mirrored", () => {
  const batch = { indices: Uint32Array.of(5, 6), flips: Uint8Array.of(1, 0), epoch: 0 };
  assertEquals([...indicesOf(batch)], [0x80000005, 6]);
});
