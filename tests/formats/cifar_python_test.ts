import { CIFAR_100_PYTHON, readCifarPython } from "../../formats/cifar_python.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { cifarPickle } from "../support/cifar_pickle.ts";
import { FOREIGN_FILES, formulaImages } from "../support/foreign_files.ts";
import { op, pickle } from "../support/torch_file.ts";

Deno.test("readCifarPython() reads what Python 3 wrote, in protocols 2 and 4", () => {
  for (const bytes of [FOREIGN_FILES.cifar100Protocol2, FOREIGN_FILES.cifar100Protocol4]) {
    const { count, images, labels } = readCifarPython(bytes, CIFAR_100_PYTHON);
    assertEquals([count, ...labels], [2, 99, 7]);
    assertEquals(images, new Uint8Array(formulaImages(2, 32, 32, 3)));
  }
});

Deno.test("readCifarPython() reads what Python 2 wrote, with bytes as strings", () => {
  const images = new Uint8Array(formulaImages(3, 32, 32, 3));
  const labels = Uint8Array.of(9, 0, 4);
  assertEquals(readCifarPython(cifarPickle({ images, labels })), { count: 3, images, labels });
});

Deno.test("readCifarPython() refuses other contents by name", () => {
  const images = new Uint8Array(3072), labels = Uint8Array.of(3);
  const refuses = (part: string, bytes: Uint8Array) =>
    assertThrows(() => readCifarPython(bytes), SyntaxError, part);
  refuses("label 0 must be 0 to 9, got 10", cifarPickle({ images, labels: Uint8Array.of(10) }));
  refuses(
    '"labels" must be a list of 1 labels, got 2',
    cifarPickle({ images, labels: Uint8Array.of(1, 2) }),
  );
  refuses(
    '"labels" must be a list of 1 labels, got none',
    cifarPickle({ images, labels, key: "fine_labels" }),
  );
  refuses(
    "bytes of shape [count, 3072], got u1 [2,1536]",
    cifarPickle({ images, labels, shape: [2, 1536] }),
  );
  refuses("got i1 [1,3072]", cifarPickle({ images, labels, dtype: "i1" }));
  refuses("must have 6144 bytes, got 3072", cifarPickle({ images, labels, shape: [2, 3072] }));
  refuses('such as "u1", got "O8"', cifarPickle({ images, labels, dtype: "O8" }));
  refuses('must be little-endian, got ">"', cifarPickle({ images, labels, order: ">" }));
  refuses("must be a dict", pickle(op.emptyList));
  refuses("1 bytes more", Uint8Array.from([...cifarPickle({ images, labels }), 0]));
});

Deno.test("readCifarPython() refers to no name but those of arrays", () => {
  const call = [op.global("os", "system"), op.text("true"), op.tuple1, op.reduce];
  assertThrows(() => readCifarPython(pickle(...call)), SyntaxError, 'got "os.system"');
  const other = [op.global("numpy", "dtype"), op.global("numpy", "ndarray"), op.tuple1, op.reduce];
  assertThrows(() => readCifarPython(pickle(...other)), SyntaxError, "element type");
  const called = [op.global("numpy", "ndarray"), op.emptyTuple, op.reduce];
  assertThrows(() => readCifarPython(pickle(...called)), SyntaxError, "must not be called");
  const wide = [
    op.global("_codecs", "encode"),
    op.text("中"),
    op.text("latin1"),
    [0x86],
    op.reduce,
  ];
  assertThrows(() => readCifarPython(pickle(...wide)), SyntaxError, "must be of Latin-1");
  assertThrows(
    () => readCifarPython(pickle(op.none, op.persistentId)),
    SyntaxError,
    "outside itself",
  );
});
