import { dottedEntries, editDistance, suggestKey } from "../../config/keys.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("editDistance() counts insertions, deletions and substitutions", () => {
  assertEquals(editDistance("", ""), 0);
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("kitten", "sitting"), 3);
  assertEquals(editDistance("steps", "stesp"), 2);
  assertEquals(editDistance("flaw", "lawn"), editDistance("lawn", "flaw"));
});

Deno.test("dottedEntries() gives sections before their fields and lists whole", () => {
  const tree = { a: { b: [1], c: null }, d: 2 };
  assertEquals([...dottedEntries(tree)], [
    ["a", tree.a],
    ["a.b", [1]],
    ["a.c", null],
    ["d", 2],
  ]);
});

Deno.test("suggestKey() finds what a misspelt, unsectioned or kebab-case key means", () => {
  const known = ["run", "run.dir", "train", "train.steps", "train.batchSize", "optim", "optim.lr"];
  const cases: [key: string, meant: string | null][] = [
    ["train.stesp", "train.steps"],
    ["train.batch-size", "train.batchSize"],
    ["BATCHSIZE", "train.batchSize"],
    ["trian", "train"],
    ["model.lr", "optim.lr"],
    ["train.steps.x", "train.steps"],
    ["run.x", null],
    ["quantum", null],
  ];
  for (const [key, meant] of cases) assertEquals(suggestKey(key, known), meant, key);
});
