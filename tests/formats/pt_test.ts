import { PickleDict, PickleMark } from "../../formats/pickle_values.ts";
import { looksLikePt, PtTensor, type PtValue, readPt } from "../../formats/pt.ts";
import { writeZip } from "../../formats/zip.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { FOREIGN_OBJECTS } from "../support/foreign_objects.ts";
import {
  legacyStart,
  op,
  pickle,
  type PickleBytes,
  type Saved,
  savedF32,
  SavedObject,
  SavedTensor,
  torchFiles,
  torchLegacy,
  torchZip,
} from "../support/torch_file.ts";

const GOLDEN = new URL("../golden/ckpt/", import.meta.url);
const FORMS = { zip: torchZip, legacy: torchLegacy } as const;

function entries(value: PtValue): Map<string | number | bigint, PtValue> {
  assert(value instanceof PickleDict);
  return value;
}

function numbers(value: PtValue | undefined): number[] {
  assert(value instanceof PtTensor);
  return Array.from<number | bigint, number>(value.read().data as never, Number);
}

function refuses(bytes: Uint8Array, part: string): void {
  assertThrows(() => readPt(bytes), SyntaxError, part);
}

/** A view of twelve elements 0 to 11 that no contiguous tensor is. */
function view(shape: number[], strides: number[], offset = 0): SavedTensor {
  const { storage } = savedF32([12], Array.from({ length: 12 }, (_, i) => i));
  return new SavedTensor(storage, shape, strides, offset);
}

for (const [form, write] of Object.entries(FORMS)) {
  Deno.test(`readPt() reads nested values and tensors of the ${form} form`, () => {
    const value: Saved = new Map<string | number, Saved>([
      ["a", savedF32([2, 2], [1, 2, 3, 4])],
      ["b", new Map<string | number, Saved>([[1, [true, null, 2.5, "x"]]])],
    ]);
    const dict = entries(readPt(write(value)));
    assertEquals(numbers(dict.get("a")), [1, 2, 3, 4]);
    assertEquals(entries(dict.get("b")!).get(1), [true, null, 2.5, "x"]);
  });

  Deno.test(`readPt() follows strides, offsets and shared storages of the ${form} form`, () => {
    const base = view([12], [1]);
    const tensors = new Map<string, Saved>([
      ["base", base],
      ["transposed", new SavedTensor(base.storage, [3, 2], [1, 3])],
      ["every other", new SavedTensor(base.storage, [3], [2], 1)],
      ["expanded", new SavedTensor(base.storage, [2, 3], [1, 0], 4)],
      ["scalar", new SavedTensor(base.storage, [], [], 7)],
      ["empty", new SavedTensor(base.storage, [0, 4], [4, 1])],
    ]);
    const dict = entries(readPt(write(tensors)));
    assertEquals(numbers(dict.get("transposed")), [0, 3, 1, 4, 2, 5]);
    assertEquals(numbers(dict.get("every other")), [1, 3, 5]);
    assertEquals(numbers(dict.get("expanded")), [4, 4, 4, 5, 5, 5]);
    assertEquals(numbers(dict.get("scalar")), [7]);
    assertEquals(numbers(dict.get("empty")), []);
  });

  Deno.test(`readPt() refuses tensors that leave their storage, ${form} form`, () => {
    for (
      const tensor of [
        view([13], [1]),
        view([12], [1], 1),
        view([2, 6], [7, 1]),
        view([2147483647], [1]),
        view([2147483647, 2147483647, 2147483647], [1, 1, 1]),
        view([0], [1], 13),
        view([1, 1], [1, 1], 2147483647),
      ]
    ) refuses(write(tensor), "must lie inside its storage");
  });

  Deno.test(`readPt() refuses a few bytes expanded to gigabytes, ${form} form`, () => {
    refuses(write(view([100000, 100000], [0, 0])), "must take at most");
    refuses(write(view([2147483647], [0])), "must take at most");
  });

  Deno.test(`readPt() refuses a ${form} file cut at any byte`, () => {
    const whole = write(new Map([["w", savedF32([5], [1, 2, 3, 4, 5])]]));
    for (let length = 0; length < whole.length; length += 3) {
      refuses(whole.subarray(0, length), "Cannot read");
    }
    refuses(Uint8Array.of(...whole, 0), "Cannot read");
  });

  Deno.test(`readPt() refuses storages of another size, ${form} form`, () => {
    const tensor = view([12], [1]);
    const claimed = { ...tensor.storage, count: 2147483647 };
    refuses(write(new SavedTensor(claimed, [12], [1])), "must have");
    const two = [tensor, new SavedTensor({ ...tensor.storage, count: 6 }, [6], [1])];
    refuses(write(two), "must have one type and size");
  });
}

Deno.test("readPt() reads every recorded good file and refuses every recorded attack", () => {
  for (const { name } of Deno.readDirSync(GOLDEN)) {
    if (!name.endsWith(".pt")) continue;
    const bytes = Deno.readFileSync(new URL(name, GOLDEN));
    if (/^dtypes(_legacy)?\.pt$/.test(name)) {
      const dict = entries(readPt(bytes));
      assertEquals(dict.size, 20);
      assertEquals(numbers(dict.get("i64")), [1, -2, 2 ** 40]);
    } else if (name.startsWith("module")) {
      const module = entries(readPt(bytes));
      assertEquals([...module.keys()], ["net_model", "optim", "sched", "step"]);
      const names = ["0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.1.weight"];
      assertEquals([...entries(module.get("net_model")!).keys()], names);
      const state = entries(entries(module.get("optim")!).get("state")!);
      assertEquals(numbers(entries(state.get(0)!).get("step")), [3]);
      assertEquals(entries(module.get("sched")!).get("_last_lr"), [0.001]);
    } else refuses(bytes, "Cannot read");
  }
});

Deno.test("readPt() refuses constructors with arguments of another kind", () => {
  const wrong = [
    [op.global("torch._utils", "_rebuild_tensor_v2"), op.emptyTuple, op.reduce],
    [op.global("torch._utils", "_rebuild_parameter"), op.text("x"), op.tuple1, op.reduce],
    [op.global("torch", "FloatStorage"), op.emptyTuple, op.reduce],
    [op.global("collections", "OrderedDict"), op.text("x"), op.tuple1, op.reduce],
    [op.text("id"), op.persistentId],
  ];
  for (const parts of wrong) refuses(zipOf(pickle(...parts)), "Cannot read PyTorch file");
  const harmful = [
    ...["torch load", "os system", "posix system", "subprocess Popen", "builtins eval"],
    ...["__builtin__ exec", "runpy _run_code", "importlib import_module", "_pickle loads"],
  ];
  for (const text of harmful) {
    const [module = "", name = ""] = text.split(" ");
    refuses(zipOf(pickle(op.global(module, name))), "must refer to nothing");
  }
});

Deno.test("readPt() keeps objects of foreign classes as marks beside the weights", () => {
  for (const [what, text] of Object.entries(FOREIGN_OBJECTS)) {
    const bytes = Array.from(atob(text), (letter) => letter.charCodeAt(0));
    for (const write of Object.values(FORMS)) {
      const value = new Map<string, Saved>([
        ["thing", new SavedObject(bytes)],
        ["w", savedF32([2], [1, 2])],
      ]);
      const dict = entries(readPt(write(value)));
      assertEquals([...dict.keys()], ["thing", "w"], what);
      assertEquals(numbers(dict.get("w")), [1, 2], what);
    }
  }
});

Deno.test("readPt() tells what a mark is called and what it was filled with, and applies none", () => {
  const mark = (...parts: PickleBytes[]) => {
    const value = readPt(zipOf(pickle(...parts)));
    assert(value instanceof PickleMark);
    return value;
  };
  const scalar = mark(
    ...[op.global("numpy.core.multiarray", "scalar"), op.int(1), op.tuple1, op.reduce],
  );
  assertEquals(scalar.name, "numpy.core.multiarray.scalar");
  assertEquals(scalar.args, [1]);
  const newObject = [0x81], state = [op.emptyDict, op.text("lr"), op.int(3), op.setItem, op.build];
  const space = mark(op.global("argparse", "Namespace"), op.emptyTuple, newObject, ...state);
  assert(space.state instanceof PickleDict);
  assertEquals(space.state.get("lr"), 3);
  const easy = mark(
    op.global("easydict", "EasyDict"),
    op.emptyTuple,
    newObject,
    ...state.slice(1, 4),
  );
  assertEquals(easy.items?.get("lr"), 3);
  const inner = [op.global("a", "B"), op.text("C"), [0x86]];
  assertEquals(mark(op.global("builtins", "getattr"), ...inner, op.reduce).name, "a.B.C");
});

Deno.test("readPt() refuses a tensor whose parts or hooks a foreign call would make", () => {
  const call = [...op.global("a", "call"), ...op.emptyTuple, ...op.reduce];
  const size = [op.mark, op.int(1), op.tuple].flat();
  const id = [
    ...[op.mark, op.text("storage"), op.global("torch", "FloatStorage"), op.text("0")],
    ...[op.text("cpu"), op.int(1), op.tuple, op.persistentId],
  ].flat();
  const whole = [id, op.int(0), size, size, op.bool(false), op.none];
  const file = (parts: PickleBytes[]) =>
    writeZip([
      [
        "archive/data.pkl",
        pickle(
          op.global("torch._utils", "_rebuild_tensor_v2"),
          op.mark,
          ...parts,
          op.tuple,
          op.reduce,
        ),
      ],
      ["archive/data/0", new Uint8Array(4)],
    ]);
  assertEquals(numbers(readPt(file(whole))), [0]);
  for (const i of whole.keys()) {
    refuses(file(whole.with(i, call)), "must be given what PyTorch gives it");
  }
});

Deno.test("readPt() keeps tensors of elements that no network has as marks", () => {
  const { storage } = savedF32([2], [1, 2]);
  const complex = new SavedTensor({ ...storage, type: "ComplexFloatStorage", count: 1 }, [1], [1]);
  const value = new Map<string, Saved>([["c", complex], ["w", savedF32([1], [5])]]);
  const mark = entries(readPt(torchZip(value))).get("c");
  assert(mark instanceof PickleMark);
  assertEquals(mark.name, "a tensor of torch.ComplexFloatStorage");
});

Deno.test("readPt() refuses TorchScript, big-endian files and archives without one data.pkl", () => {
  const files = torchFiles(savedF32([1], [1]));
  const bytes = new TextEncoder().encode("big");
  const withFile = (name: string, bytes: Uint8Array) => writeZip([...files, [name, bytes]]);
  refuses(withFile("archive/constants.pkl", pickle(op.none)), "TorchScript");
  refuses(withFile("archive/byteorder", bytes), 'must be little, got "big"');
  refuses(withFile("other/data.pkl", pickle(op.none)), "one data.pkl, got 2");
  refuses(writeZip([["a", bytes]]), "one data.pkl, got 0");
});

Deno.test("readPt() refuses legacy files with another magic, version, order or storage list", () => {
  const [magic, version, system] = legacyStart() as [Uint8Array, Uint8Array, Uint8Array];
  const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  refuses(join(pickle(op.long(1n << 70n)), version, system), "magic number");
  refuses(join(magic, pickle(op.int(1)), system), "magic number");
  refuses(join(magic, version, pickle(op.emptyDict)), "byte order");
  const none = pickle(op.none);
  refuses(join(magic, version, system, none, none), "list of its storages");
  const unknown = pickle(op.emptyList, op.mark, op.text("9"), op.appends);
  refuses(join(magic, version, system, none, unknown), "must be used and come once");
  refuses(join(magic, version, system, none, pickle(op.emptyList), none), "must end at byte");
});

Deno.test("looksLikePt() tells both forms from other files", () => {
  assert(looksLikePt(torchZip(null)) && looksLikePt(torchLegacy(null)));
  assert(!looksLikePt(new Uint8Array(16)) && !looksLikePt(new Uint8Array()));
  refuses(new Uint8Array(16), "must begin as a zip archive");
});

function zipOf(data: Uint8Array): Uint8Array {
  return writeZip([["archive/data.pkl", data]]);
}
