/**
 * The Describable Textures Dataset (Cimpoi and others 2014): dtd-r1.0.1.tar.gz of
 * https://www.robots.ox.ac.uk/~vgg/data/dtd, or what it unpacks to. Of its ten ways to split it the
 * first; validation images are trained on.
 *
 * @module
 */
import { baseName, labelledFiles, linesOf } from "./labelled_files.ts";

export const DTD = labelledFiles(
  "dtd",
  "dtd-r1.0.1.tar.gz, or the folder in it",
  async ({ names, read }) => {
    const images = new Map(names.map((name) => [name.split("/").slice(-2).join("/"), name]));
    const named = async (part: string) => {
      const lines = linesOf(await read(`labels/${part}1.txt`));
      return lines.flatMap((line) => images.has(line) ? [line] : []);
    };
    const train = [...await named("train"), ...await named("val")], test = await named("test");
    const classOf = (line: string) => line.slice(0, -baseName(line).length - 1);
    const classNames = [...new Set([...train, ...test].map(classOf))].sort();
    const labelled = (lines: readonly string[]) =>
      lines.map((line) => ({ name: images.get(line)!, label: classNames.indexOf(classOf(line)) }));
    return { train: labelled(train), test: labelled(test), classNames };
  },
);
