import { decodeSvhn, loadSvhn } from "../../../data/sets/svhn.ts";
import { assertEquals, assertRejects, assertThrows } from "../../support/assert.ts";
import { FOREIGN_FILES, formulaImages } from "../../support/foreign_files.ts";
import { matFile, matVariable } from "../../support/mat_file.ts";
import { alone, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

Deno.test("loadSvhn() reads a MAT-file to images of rows, columns and channels, digit 0 as 0", async () => {
  await inFolder(async (folder) => {
    await writeFiles(folder, { "train_32x32.mat": FOREIGN_FILES.matCompressed });
    for (const place of [folder, `${folder}/train_32x32.mat`]) {
      const set = await loadSvhn("train", place, () => {}, alone(folder));
      assertEquals([set.count, set.height, set.width, set.channels], [3, 32, 32, 3]);
      assertEquals(new Uint8Array(set.images), formulaImages(3, 32, 32, 3));
      assertEquals([...set.labels!], [1, 0, 7]);
      assertEquals(set.classNames![0], "0");
    }
  });
});

Deno.test("loadSvhn() names the damaged file", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/train_32x32.mat`;
    await Deno.writeFile(path, FOREIGN_FILES.matCompressed.subarray(0, 500));
    const load = () => loadSvhn("train", path, () => {}, alone(folder));
    await assertRejects(load, SyntaxError, `Cannot read ${path}: `);
  });
});

Deno.test("decodeSvhn() refuses other arrays by name", () => {
  const x = matVariable("X", [32, 32, 3, 1], new Uint8Array(3072));
  const y = (label: number) => matVariable("y", [1, 1], Uint8Array.of(label));
  const refuses = (part: string, ...variables: Uint8Array[]) =>
    assertThrows(() => decodeSvhn(matFile(variables)), SyntaxError, part);
  assertEquals(decodeSvhn(matFile([x, y(10)])).labels![0], 0);
  refuses("y must have 1 labels as there are images, got none", x);
  refuses("X must be bytes of shape [32, 32, 3, N], got none", y(1));
  refuses("got [16,64,3,1]", matVariable("X", [16, 64, 3, 1], new Uint8Array(3072)), y(1));
  refuses("label 0 must be 1 to 10, got 0", x, y(0));
  refuses("label 0 must be 1 to 10, got 11", x, y(11));
});
