/**
 * Writes marks/: files of torch.save with a network's names behind words of wrappers, and an object of a
 * foreign class beside it. `deno run -A tests/golden/make_marks.ts`.
 *
 * @module
 */
import { FOREIGN_OBJECTS } from "../support/foreign_objects.ts";
import { savedF32, SavedObject, torchLegacy, torchZip, type Saved } from "../support/torch_file.ts";
const dir = new URL("marks/", import.meta.url).pathname;
await Deno.mkdir(dir, { recursive: true });
const object = (text: string) => new SavedObject(Array.from(atob(text), (l) => l.charCodeAt(0)));
const weights = (prefix: string) => [["head.weight", savedF32([2, 2], [1, 2, 3, 4])], ["tail.bias", savedF32([2], [5, 6])]].map(([n, t]) => [prefix + n, t] as [string, Saved]);
const names = ["argparse.Namespace", "dict subclass", "numpy array", "nested enum member", "cycle", "odd keys", "set", "named tuple"];
for (const name of names) {
  for (const protocol of [2, 4]) {
    const value = new Map<string, Saved>([["model", new Map(weights("module."))], ["ema", new Map(weights("_orig_mod."))], ["thing", object(FOREIGN_OBJECTS[`${name}, protocol ${protocol}`]!)]]);
    const file = name.replaceAll(/\W+/g, "-").toLowerCase();
    await Deno.writeFile(`${dir}/${file}-${protocol}.pt`, torchZip(value));
    if (protocol === 2) await Deno.writeFile(`${dir}/${file}-legacy.pt`, torchLegacy(value));
  }
}
