import { deflateSync } from "node:zlib";
import { readMat } from "../../formats/mat.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { FOREIGN_FILES, formulaImages } from "../support/foreign_files.ts";
import { matFile, matVariable } from "../support/mat_file.ts";

Deno.test("readMat() reads what scipy wrote, compressed and not", () => {
  const svhn = readMat(FOREIGN_FILES.matCompressed, ["X", "y"]);
  assertEquals(svhn.get("X")!.shape, [32, 32, 3, 3]);
  const pixels = formulaImages(3, 32, 32, 3);
  const { data } = svhn.get("X")!;
  for (const [n, y, x, c] of [[0, 0, 0, 0], [2, 31, 30, 1], [1, 5, 9, 2]] as const) {
    assertEquals(data[y + 32 * (x + 32 * (c + 3 * n))], pixels[((n * 32 + y) * 32 + x) * 3 + c]);
  }
  assertEquals([...svhn.get("y")!.data], [1, 10, 7]);
  const plain = readMat(FOREIGN_FILES.matPlain, ["a", "i"]);
  assertEquals(plain.get("a")!, { shape: [2, 3], data: Float64Array.of(0, 3, 1, 4, 2, 5) });
  assertEquals(plain.get("i")!, { shape: [1, 2], data: Int16Array.of(-1, 2) });
});

Deno.test("readMat() names variables that are no arrays of real numbers", () => {
  const file = FOREIGN_FILES.matPlain;
  assertThrows(
    () => readMat(file, ["z"]),
    TypeError,
    '"z" must be an array of real numbers, got complex',
  );
  assertThrows(() => readMat(file, ["cell"]), TypeError, "got cell");
  assertThrows(() => readMat(FOREIGN_FILES.matCompressed, ["note"]), TypeError, "got char");
  assertEquals(readMat(file, ["absent"]).size, 0);
});

Deno.test("readMat() reads short elements, bytes as doubles' storage, and empty arrays", () => {
  const file = matFile([
    matVariable("s", [1, 3], Uint8Array.of(7, 8, 9)),
    matVariable("empty", [0, 4], new Uint8Array(0)),
  ]);
  const arrays = readMat(file, ["s", "empty"]);
  assertEquals([...arrays.get("s")!.data], [7, 8, 9]);
  assertEquals(arrays.get("empty")!, { shape: [0, 4], data: new Uint8Array(0) });
});

Deno.test("readMat() refuses other versions by name", () => {
  const header = (version: number, order: string) => {
    const bytes = matFile([]);
    new DataView(bytes.buffer).setUint16(124, version, true);
    bytes.set([...order].map((letter) => letter.charCodeAt(0)), 126);
    return bytes;
  };
  assertThrows(() => readMat(header(0x200, "IM"), []), TypeError, "7.3, which is HDF5");
  assertThrows(() => readMat(header(0x1, "MI"), []), TypeError, "big-endian");
  assertThrows(() => readMat(header(0x300, "IM"), []), SyntaxError, "version 0x0100");
  assertThrows(() => readMat(new Uint8Array(100), []), SyntaxError, "128 bytes, got 100");
});

Deno.test("readMat() refuses sizes that do not fit, and files that are cut", () => {
  const bad = matFile([matVariable("s", [1, 400], Uint8Array.of(7, 8, 9))]);
  assertThrows(
    () => readMat(bad, ["s"]),
    SyntaxError,
    "of shape [1,400] must have 400 bytes, got 3",
  );
  const negative = matFile([matVariable("s", [-1, -3], Uint8Array.of(7, 8, 9))]);
  assertThrows(() => readMat(negative, ["s"]), SyntaxError, "of shape [-1,-3]");
  const twice = matVariable("s", [1, 3], Uint8Array.of(7, 8, 9));
  assertThrows(() => readMat(matFile([twice, twice]), ["s"]), SyntaxError, "be there once");
  for (const file of [FOREIGN_FILES.matPlain, FOREIGN_FILES.matCompressed]) {
    for (let length = 129; length < file.length; length += 11) {
      const cut = file.subarray(0, length);
      try {
        // What is cut off between two variables lacks the later ones alone.
        assertEquals(readMat(cut, ["X", "a"]).size <= 1, true);
      } catch (error) {
        assertEquals((error as Error).message.startsWith("Cannot read MAT-file: "), true);
      }
    }
  }
});

Deno.test("readMat() refuses a compressed variable that claims or gives another size", () => {
  const variable = matVariable("s", [1, 4096], new Uint8Array(4096));
  const packed = (content: Uint8Array) => {
    const body = deflateSync(content);
    const tag = new Uint32Array([15, body.length]);
    return Uint8Array.from([...new Uint8Array(tag.buffer), ...body]);
  };
  assertEquals(readMat(matFile([packed(variable)]), ["s"]).get("s")!.data.length, 4096);
  const claims = variable.slice();
  new DataView(claims.buffer).setUint32(4, 0x7fffffff, true);
  assertThrows(() => readMat(matFile([packed(claims)]), ["s"]), SyntaxError, "must not come from");
  const longer = Uint8Array.from([...variable, 1, 2, 3]);
  assertThrows(() => readMat(matFile([packed(longer)]), ["s"]), SyntaxError, "of the size it says");
  const damaged = packed(variable);
  damaged[12]! ^= 255;
  assertThrows(() => readMat(matFile([damaged]), ["s"]), SyntaxError, "must be zlib data");
});
