/**
 * Animal Faces-HQ (Choi and others 2020): afhq.zip or afhq_v2.zip of
 * https://github.com/clovaai/stargan-v2, or what they unpack to: three classes, in train and val, or test
 * of version 2.
 *
 * @module
 */
import { classFolders, labelledFiles } from "./labelled_files.ts";

export const AFHQ = labelledFiles(
  "afhq",
  "afhq.zip or afhq_v2.zip, or the folder in it",
  ({ names }) =>
    classFolders(names, { train: ["train"], test: ["val", "test"] }, ["cat", "dog", "wild"]),
);
