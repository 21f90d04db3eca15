import { join } from "node:path";
import { writeSafetensors } from "../../formats/safetensors.ts";
import {
  Checkpoint,
  listCheckpoints,
  newestCheckpoint,
  pruneCheckpoints,
  stepName,
  writeCheckpoint,
} from "../../training/checkpoint.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";

const weights = Float32Array.from([1, -2, 3.5, 0, 1e-20, -0]);

async function write(folder: string, step: number, values = weights): Promise<string> {
  const path = join(folder, `${stepName(step)}.safetensors`);
  await writeCheckpoint(path, { step, config: '{"a":1}', notes: { adapter: "test" } }, [
    { name: "model/w", shape: [2, 3], read: () => Promise.resolve(values) },
    { name: "model/scalar", shape: [], read: () => Promise.resolve(Float32Array.of(step)) },
  ]);
  return path;
}

/** Changes a file's bytes in place. */
async function edit(path: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  await Deno.writeFile(path, change(await Deno.readFile(path)));
}

Deno.test("Checkpoint.open() gives back what writeCheckpoint() wrote, bit for bit", () =>
  inFolder(async (folder) => {
    const checkpoint = await Checkpoint.open(await write(folder, 12));
    assertEquals(checkpoint.step, 12);
    assertEquals(checkpoint.config, '{"a":1}');
    assertEquals(checkpoint.notes, { adapter: "test" });
    assertEquals([...checkpoint.tensors.keys()], ["model/w", "model/scalar"]);
    const read = await checkpoint.read("model/w", [2, 3]);
    assertEquals(new Uint32Array(read.buffer), new Uint32Array(weights.buffer));
    assertEquals([...await checkpoint.read("model/scalar", [])], [12]);
  }));

Deno.test("Checkpoint.read() gives halves that writeCheckpoint() has rounded to", () =>
  inFolder(async (folder) => {
    const path = join(folder, "half.safetensors");
    const tensors = [{ name: "ema/w", shape: [2, 3], read: () => Promise.resolve(weights) }];
    // 2^-24 is the smallest that f16 has; bf16 has 8 bits of fraction, counting the first.
    const own = Float32Array.of(1 + 2 ** -11, -2.00390625, 3.5, 2 ** -24, 70000, -0);
    const rounded = {
      F16: [1, -2.00390625, 3.5, 2 ** -24, Infinity, -0],
      BF16: [1, -2, 3.5, 2 ** -24, 70144, -0],
    };
    for (const dtype of ["F16", "BF16"] as const) {
      const read = () => Promise.resolve(own);
      await writeCheckpoint(path, { step: 1, config: "" }, [{ ...tensors[0]!, read }], dtype);
      assertEquals([...await (await Checkpoint.open(path)).read("ema/w", [2, 3])], rounded[dtype]);
    }
  }));

Deno.test("Checkpoint.open() takes no length of a header for the start of a pickle", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    // Headers of 0x380, 0x480 and 0x580 bytes begin as pickles of protocols 3, 4 and 5 do.
    for (const length of [0x380, 0x480, 0x580]) {
      const facts = { step: 3, config: "" };
      await writeCheckpoint(path, facts, []);
      const [low = 0, high = 0] = await Deno.readFile(path);
      const config = "x".repeat(length - low - 256 * high);
      await writeCheckpoint(path, { ...facts, config }, []);
      assertEquals([...(await Deno.readFile(path)).subarray(0, 2)], [0x80, length >> 8]);
      assertEquals((await Checkpoint.open(path)).step, 3);
    }
  }));

Deno.test("writeCheckpoint() gives equal bytes for equal content", () =>
  inFolder(async (folder) => {
    const first = await Deno.readFile(await write(folder, 3));
    await Deno.mkdir(join(folder, "other"));
    assertEquals(await Deno.readFile(await write(join(folder, "other"), 3)), first);
  }));

Deno.test("Checkpoint.read() refuses another shape and an unknown name", () =>
  inFolder(async (folder) => {
    const checkpoint = await Checkpoint.open(await write(folder, 1));
    await assertRejects(
      () => checkpoint.read("model/w", [3, 2]),
      Error,
      "tensor model/w must be F32, F16 or BF16 of shape [3,2], got F32 of shape [2,3]",
    );
    await assertRejects(() => checkpoint.read("ema/w", [2, 3]), Error, "got none");
  }));

Deno.test("Checkpoint.open() refuses every kind of damage by name", () =>
  inFolder(async (folder) => {
    const whole = await Deno.readFile(await write(folder, 1));
    const path = join(folder, "damaged.safetensors");
    const headerBytes = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
    const flip = (at: number) => whole.with(at, whole[at]! ^ 1);
    const cases: [string, Uint8Array][] = [
      ["empty", new Uint8Array()],
      ["header length alone", whole.subarray(0, 8)],
      ["cut in the header", whole.subarray(0, headerBytes - 5)],
      ["cut in the data", whole.subarray(0, whole.length - 40)],
      ["one byte too many", new Uint8Array([...whole, 0])],
      ["a bit of a weight", flip(headerBytes + 5)],
      ["a bit of the checksum", flip(whole.length - 1)],
      ["a digit of the step", flip(new TextDecoder().decode(whole).indexOf('"step":"1"') + 8)],
      ["an endless header", whole.with(6, 255)],
      ["zeros", new Uint8Array(whole.length)],
    ];
    for (const [what, bytes] of cases) {
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => Checkpoint.open(path), Error);
      assertStringIncludes(error.message, `Cannot read checkpoint ${path}: `);
      assert(!error.message.includes("\n"), `${what}: ${error.message}`);
    }
  }));

Deno.test("Checkpoint.open() refuses safetensors of another kind and a file that is not there", () =>
  inFolder(async (folder) => {
    const path = join(folder, "other.safetensors");
    await Deno.writeFile(
      path,
      writeSafetensors([["w", { dtype: "F32", shape: [6], data: weights }]]),
    );
    await assertRejects(() => Checkpoint.open(path), Error, "its format must be");
    await assertRejects(
      () => Checkpoint.open(join(folder, "none")),
      Error,
      "there is no such file",
    );
  }));

Deno.test("newestCheckpoint() passes over damaged files with a line each", () =>
  inFolder(async (folder) => {
    await write(folder, 5);
    await edit(await write(folder, 10), (bytes) => bytes.subarray(0, bytes.length - 1));
    const lines: string[] = [];
    const checkpoint = await newestCheckpoint(folder, (line) => lines.push(line));
    assertEquals(checkpoint?.step, 5);
    assertEquals(lines.length, 1);
    assertStringIncludes(lines[0]!, "step-000010.safetensors");
    assertStringIncludes(lines[0]!, "step-000005.safetensors instead");
  }));

Deno.test("newestCheckpoint() asks its check as well, and refuses when nothing is left", () =>
  inFolder(async (folder) => {
    await write(folder, 5);
    const check = () => {
      throw new Error("it belongs to another network");
    };
    await assertRejects(
      () => newestCheckpoint(folder, () => {}, check),
      Error,
      "it belongs to another network",
    );
  }));

Deno.test("newestCheckpoint() is null where there is no checkpoint or no folder", () =>
  inFolder(async (folder) => {
    assertEquals(await newestCheckpoint(folder, () => {}), null);
    assertEquals(await newestCheckpoint(join(folder, "none"), () => {}), null);
  }));

Deno.test("pruneCheckpoints() keeps the newest up to a step and leaves other files alone", () =>
  inFolder(async (folder) => {
    for (const step of [1, 2, 3, 1000000, 9]) await write(folder, step);
    await Deno.writeTextFile(join(folder, "notes.txt"), "mine");
    await pruneCheckpoints(folder, 9, 2);
    assertEquals((await listCheckpoints(folder)).map(({ step }) => step), [1000000, 9, 3]);
    assertEquals(await Deno.readTextFile(join(folder, "notes.txt")), "mine");
  }));
