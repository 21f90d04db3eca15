import { applySchema } from "../../../config/schema.ts";
import { UsageError } from "../../../support/errors.ts";
import { chooseData, namesDataset } from "../../../commands/shared/data_choice.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("chooseData() takes a name, a split and overrides", () => {
  const plain = chooseData("fashion-mnist", { split: "train" });
  assertEquals([plain.data.name, plain.data.size, plain.split], ["fashion-mnist", null, "train"]);
  const small = chooseData("mnist:test", { split: "train", overrides: [["data.size", "16"]] });
  assertEquals([small.data.name, small.data.size, small.split], ["mnist", 16, "test"]);
});

Deno.test("chooseData() keeps the options of a base, but not the folder of another set", () => {
  const { data: base } = applySchema({
    data: { name: "mnist", dir: "here", size: 16, holdout: 3 },
  }).config!;
  const same = chooseData("mnist", { split: "test", base }).data;
  assertEquals([same.dir, same.size, same.holdout], ["here", 16, 3]);
  const other = chooseData("fashion-mnist", { split: "test", base }).data;
  assertEquals([other.name, other.dir, other.size], ["fashion-mnist", null, 16]);
});

Deno.test("chooseData() refuses what is no data set, split or key of data", () => {
  const cases: [text: string, overrides: [string, string][], part: string][] = [
    ["no-such-set", [], "must be one of fashion-mnist"],
    ["mnist:validation", [], "perhaps with :train or :test"],
    ["mnist:test:test", [], "perhaps with :train or :test"],
    ["mnist", [["train.steps", "3"]], "only keys below data"],
    ["mnist", [["data.name", "synthetic"]], "the data set is named already, it is mnist"],
    ["folder", [], "Cannot use the data set folder: data.size must be given"],
    ["mnist", [["data.sise", "3"]], "did you mean data.size"],
  ];
  for (const [text, overrides, part] of cases) {
    assertThrows(() => chooseData(text, { split: "test", overrides }), UsageError, part);
  }
  assertEquals([namesDataset("cifar10:test"), namesDataset("images")], [true, false]);
});
