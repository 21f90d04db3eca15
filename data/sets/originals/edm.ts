/**
 * Sets as dataset_tool.py of EDM and StyleGAN writes them (https://github.com/NVlabs/edm): a zip or a
 * folder of PNGs, and dataset.json with the label of each, or none. Images such as
 * 00000/img00000000.png. One in ten is held out.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { labelledFiles } from "./labelled_files.ts";

export const EDM = labelledFiles(
  "edm",
  "a zip or folder of dataset_tool.py",
  async ({ names, read }) => {
    const images = names.filter(isImageName);
    const labels = names.some((name) => /(^|\/)dataset\.json$/.test(name))
      ? labelsIn(await read("dataset.json"))
      : null;
    const train = images.map((name) => ({
      name,
      label: labels?.get(name) ?? labels?.get(name.split("/").slice(-2).join("/")) ?? null,
    }));
    const classes = Math.max(-1, ...new Set(labels?.values())) + 1;
    return { train, test: [], classNames: Array.from({ length: classes }, (_, i) => `${i}`) };
  },
);

/** Whole numbers by names; null where labels are something else, or none. */
function labelsIn(bytes: Uint8Array): Map<string, number> | null {
  let labels: unknown;
  try {
    labels = (JSON.parse(new TextDecoder().decode(bytes)) as { labels?: unknown } | null)?.labels;
  } catch (cause) {
    throw new SyntaxError("Cannot read dataset.json: it must be JSON, it is not", { cause });
  }
  if (!Array.isArray(labels)) return null;
  const isLabelled = (entry: unknown): entry is [string, number] =>
    Array.isArray(entry) && typeof entry[0] === "string" && Number.isInteger(entry[1]) &&
    entry[1] >= 0;
  return labels.every(isLabelled) ? new Map(labels) : null;
}
