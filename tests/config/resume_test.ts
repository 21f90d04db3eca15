import { dottedEntries, isSection } from "../../config/keys.ts";
import { type Override, parseConfig } from "../../config/load.ts";
import {
  changesBetween,
  checkEdited,
  describeChanges,
  lockedKeys,
  resumeConfig,
} from "../../config/resume.ts";
import { SAMPLER } from "../../diffusion/options.ts";
import { UsageError } from "../../support/errors.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const parse = (...overrides: Override[]) => parseConfig("{}", { path: "x.json", overrides });

Deno.test("lockedKeys() frees exactly what reaches neither weights nor data order", () => {
  const saved = parse();
  const fields = [...dottedEntries(saved)].filter(([, value]) => !isSection(value)).map(([k]) => k);
  const locked = new Set(lockedKeys(saved, fields));
  assertEquals(fields.filter((key) => !locked.has(key)), [
    "run.dir",
    "data.dir",
    "data.stream",
    "diffusion.variance",
    "diffusion.clipX0",
    ...Object.keys(SAMPLER.fields).map((key) => `diffusion.sampler.${key}`),
    "train.steps",
    "train.recompute",
    "train.logEvery",
    "train.sampleEvery",
    "train.sampleCount",
    "train.evalEvery",
    "train.evalCount",
    "train.checkpointEvery",
    "train.keep",
    "train.distributed",
    "train.tensorboard",
    "instruments.bandLoss",
    "instruments.timestepBins",
    "instruments.spectra",
    "instruments.spectraCount",
    "instruments.spectraTimesteps",
    "instruments.spectraReference",
    "instruments.emergence",
    "instruments.emergenceLooks",
    "instruments.emergenceModes",
    "instruments.memorisation",
    "metrics.every",
    "metrics.names",
    "metrics.count",
    "metrics.reference",
    "metrics.features",
    "metrics.estimate",
    "metrics.best",
  ]);
});

Deno.test("lockedKeys() locks the variance where one is learned before or after", () => {
  const keys = ["diffusion.variance"];
  const given: Override[] = [["model.name", "guided"], ["model.learnedVariance", "true"]];
  const fixed = parse(...given), learned = parse(...given, ["diffusion.variance", "learned-range"]);
  assertEquals(lockedKeys(fixed, keys, parse(["diffusion.variance", "fixedsmall"])), []);
  assertEquals(lockedKeys(fixed, keys, learned), keys);
  assertEquals(lockedKeys(learned, keys, fixed), keys);
});

Deno.test("lockedKeys() locks train.steps when the learning rate falls to 0 there", () => {
  assertEquals(lockedKeys(parse(["optim.decay", "cosine"]), ["train.steps", "train.keep"]), [
    "train.steps",
  ]);
});

Deno.test("lockedKeys() locks a section that holds a locked field", () => {
  assertEquals(lockedKeys(parse(), ["train", "diffusion", "diffusion.sampler"]), [
    "train",
    "diffusion",
  ]);
});

Deno.test("resumeConfig() applies free overrides to the saved config and keeps the rest", () => {
  const saved = parse(["run.dir", "elsewhere"], ["train.batchSize", "16"]);
  const resumed = resumeConfig(saved, [["train.steps", "900000"], ["diffusion.sampler.eta", "1"]]);
  assertEquals(resumed.train, { ...saved.train, steps: 900000 });
  assertEquals(resumed.diffusion.sampler, { ...saved.diffusion.sampler, eta: 1 });
  assertEquals(resumed.run, saved.run);
});

Deno.test("resumeConfig() allows a locked key to be set to the value that it has", () => {
  const saved = parse();
  assertEquals(resumeConfig(saved, [["train.batchSize", "128"], ["run.seed", "0"]]), saved);
});

Deno.test("resumeConfig() refuses changed locked keys by name, and both ways out are clear", () => {
  const overrides: Override[] = [["train.batchSize", "64"], ["run.seed", "1"], ["train.keep", "5"]];
  const error = assertThrows(
    () => resumeConfig(parse(), overrides),
    UsageError,
    "Cannot resume with run.seed, train.batchSize changed: they must stay",
  );
  assertEquals(error.message.includes("another --run.dir"), true);
  assertThrows(() => resumeConfig(parse(), [["train.stesp", "1"]]), UsageError, "did you mean");
});

Deno.test("resumeConfig() says what may change", () => {
  const free = (saved = parse()) =>
    assertThrows(() => resumeConfig(saved, [["run.seed", "1"]]), UsageError).message
      .split("free to change are ")[1]?.split(", ") ?? [];
  assertEquals(free().slice(0, 3), ["train.steps", "run.dir", "data.dir"]);
  assertEquals(free(parse(["optim.decay", "cosine"])).includes("train.steps"), false);
});

Deno.test("changesBetween() gives fields with both values", () => {
  const changes = changesBetween(parse(), parse(["optim.lr", "0.5"], ["model.groups", "16"]));
  assertEquals(changes, [
    { key: "model.groups", before: 32, after: 16 },
    { key: "optim.lr", before: 2e-4, after: 0.5 },
  ]);
  assertEquals(describeChanges(changes), "model.groups 32 to 16, optim.lr 0.0002 to 0.5");
});

Deno.test("checkEdited() refuses locked changes with their values, and gives back the others", () => {
  const stored = parse();
  const edited = parse(["train.steps", "9"], ["run.dir", "elsewhere"], ["data.dir", "there"]);
  assertEquals(checkEdited(stored, edited, "config.json"), [
    { key: "train.steps", before: 800000, after: 9 },
  ]);
  const error = assertThrows(
    () => checkEdited(stored, parse(["optim.lr", "0.5"], ["train.keep", "5"]), "a/config.json"),
    UsageError,
    "Cannot resume: a/config.json was edited, optim.lr 0.0002 to 0.5; this must stay",
  );
  assertEquals(error.message.includes("put it back, or start a new run"), true);
});
