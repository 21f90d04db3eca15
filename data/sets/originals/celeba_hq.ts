/**
 * CelebA-HQ (Karras and others 2018) as it is passed on: celeba_hq.zip of
 * https://github.com/clovaai/stargan-v2, with the classes female and male in train and val; or one folder
 * of all 30,000, as CelebA-HQ-img of CelebAMask-HQ or data256x256 of Kaggle. Of that, the images that
 * CelebA's own list has for tests are the test split where CelebA-HQ-to-CelebA-mapping.txt and
 * list_eval_partition.txt lie beside it; else one in ten is held out.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { baseName, classFolders, type Files, labelledFiles, linesOf } from "./labelled_files.ts";

export const CELEBA_HQ = labelledFiles(
  "celeba-hq",
  "celeba_hq.zip, CelebA-HQ-img or data256x256, packed or not",
  async (files) => {
    const { names } = files;
    const halves = classFolders(names, { train: ["train"], test: ["val"] }, ["female", "male"]);
    if (halves.train.length > 0) return halves;
    const tests = await testNumbers(files);
    const images = names.filter((name) => isImageName(name) && /^\d+\.\w+$/.test(baseName(name)));
    const of = (test: boolean) =>
      images.filter((name) => tests.has(Number.parseInt(baseName(name))) === test)
        .map((name) => ({ name, label: null }));
    return { train: of(false), test: of(true), classNames: [] };
  },
);

/** Numbers of the images that CelebA tests with; none where its lists are not there. */
async function testNumbers({ names, read }: Files): Promise<Set<number>> {
  const lists = ["CelebA-HQ-to-CelebA-mapping.txt", "list_eval_partition.txt"];
  if (!lists.every((list) => names.some((name) => baseName(name) === list))) return new Set();
  const [mapping, partition] = [await read(lists[0]!), await read(lists[1]!)];
  const tests = new Set(
    linesOf(partition).map((line) => line.split(/\s+/)).filter(([, part]) => part === "2")
      .map(([name]) => name),
  );
  // Columns: number here, number there, name there.
  const rows = linesOf(mapping).map((line) => line.split(/\s+/));
  return new Set(rows.filter(([, , name]) => tests.has(name)).map(([number]) => Number(number)));
}
