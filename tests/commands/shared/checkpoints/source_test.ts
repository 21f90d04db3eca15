import { readPt } from "../../../../formats/pt.ts";
import { readSafetensors } from "../../../../formats/safetensors.ts";
import { writeZip } from "../../../../formats/zip.ts";
import { halfToFloat, toF32 } from "../../../../commands/shared/checkpoints/floats.ts";
import { flatten, sourceOf, writeSource } from "../../../../commands/shared/checkpoints/source.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../../support/assert.ts";
import {
  op,
  pickle,
  type PickleBytes,
  type Saved,
  savedF32,
  SavedTensor,
  torchZip,
} from "../../../support/torch_file.ts";

function flat(value: Saved) {
  return flatten(readPt(torchZip(value)));
}

/** A PyTorch file with a pickle of one's own. */
function made(...parts: PickleBytes[]): Uint8Array {
  return writeZip([["a/data.pkl", pickle(...parts)]]);
}

Deno.test("flatten() names tensors and values by their path", () => {
  const { tensors, facts } = flat(
    new Map<string | number, Saved>([
      ["net", new Map([["0.weight", savedF32([2], [1, 2])]])],
      [3, [savedF32([], [7]), [1, 2], "x"]],
      ["rates", [0.5, Infinity]],
    ]),
  );
  assertEquals([...tensors.keys()], ["net.0.weight", "3.0"]);
  assertEquals([...facts], [["3.1", [1, 2]], ["3.2", "x"], ["rates", [0.5, "Infinity"]]]);
});

Deno.test("flatten() refuses one name for two things", () => {
  const inner = new Map<string, Saved>([["b", 1]]);
  const value = new Map<string, Saved>([["a", inner], ["a.b", 2]]);
  assertThrows(() => flat(value), SyntaxError, '"a.b" must be one thing');
});

Deno.test("flatten() refuses a list inside itself, and lists that double at every level", () => {
  const cycle = made(op.emptyList, op.put(0), op.mark, op.get(0), op.appends);
  assertThrows(() => flatten(readPt(cycle)), SyntaxError, "none inside itself");
  const levels = Array.from(
    { length: 50 },
    (_, i) => [op.emptyList, op.put(i + 1), op.mark, op.get(i), op.get(i), op.appends],
  );
  const bomb = made(op.mark, op.emptyList, op.put(0), ...levels.flat(), op.tuple);
  assertThrows(() => flatten(readPt(bomb)), SyntaxError, "at most 131072 values");
});

Deno.test("writeSource() writes values as JSON, and refuses to blow a small file up", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/out.safetensors`;
  const value = new Map<string, Saved>([["w", savedF32([2], [1, 2])], ["__proto__", [1, 2]]]);
  await writeSource(path, sourceOf("in.pt", torchZip(value)));
  const { tensors, metadata } = readSafetensors(await Deno.readFile(path));
  assertEquals([...tensors.get("w")!.data], [1, 2]);
  assert(Object.hasOwn(metadata, "__proto__"));
  assertEquals(Object.entries(metadata), [["__proto__", "[1,2]"], ["format", "pt"]]);

  const { storage } = savedF32([1], [1]);
  const wide = (i: number): [string, Saved] => [`${i}`, new SavedTensor(storage, [1 << 20], [0])];
  const many = torchZip(new Map(Array.from({ length: 40 }, (_, i) => wide(i))));
  await assertRejects(
    () => writeSource(path, sourceOf("in.pt", many)),
    RangeError,
    "its tensors must take at most",
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("toF32() widens 16 bits without loss, and refuses integers", () => {
  const halves = [0, 0x8000, 1, 0x3ff, 0x400, 0x3c00, 0xc000, 0x7bff, 0x7c00, 0xfc00];
  const values = [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -2, 65504, Infinity, -Infinity];
  assertEquals(halves.map(halfToFloat), values);
  assert(Number.isNaN(halfToFloat(0x7e00)));
  const data = new Int32Array(1);
  assertThrows(() => toF32({ dtype: "I32", shape: [1], data }), TypeError, "got I32");
});
