import { dottedEntries, isSection } from "../../config/keys.ts";
import { type Override, parseConfig } from "../../config/load.ts";
import { lockedKeys, resumeConfig } from "../../config/resume.ts";
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
    "diffusion.variance",
    "diffusion.clipX0",
    "diffusion.sampler.name",
    "diffusion.sampler.steps",
    "diffusion.sampler.eta",
    "diffusion.sampler.spacing",
    "train.steps",
    "train.recompute",
    "train.logEvery",
    "train.sampleEvery",
    "train.sampleCount",
    "train.evalEvery",
    "train.evalCount",
    "train.checkpointEvery",
    "train.keep",
    "train.tensorboard",
    "instruments.bandLoss",
    "instruments.timestepBins",
    "instruments.spectra",
    "instruments.spectraCount",
    "instruments.spectraTimesteps",
    "instruments.spectraReference",
    "metrics.every",
    "metrics.names",
    "metrics.count",
    "metrics.reference",
    "metrics.features",
    "metrics.estimate",
    "metrics.best",
  ]);
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
