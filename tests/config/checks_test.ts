import { configWarnings } from "../../config/checks.ts";
import { type Override, parseConfig } from "../../config/load.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const parse = (text: string, ...overrides: Override[]) =>
  parseConfig(text, { path: "config/x.json", overrides });

/** The message that the overrides, on a config of defaults, are refused with. */
const refusal = (...overrides: Override[]) => assertThrows(() => parse("{}", ...overrides)).message;

Deno.test("parseConfig() refuses a width that groups do not divide and names the nearest", () => {
  const cases: [channels: string, groups: string, nearest: string][] = [
    ["100", "32", "model.groups 25 or 50, or model.channels 96 or 128"],
    ["16", "32", "model.groups 16, or model.channels 32"],
    ["128", "48", "model.groups 32 or 64, or model.channels 96 or 144"],
    ["16", "5", "model.groups 4 or 8, or model.channels 10 or 20"],
  ];
  for (const [channels, groups, nearest] of cases) {
    const message = refusal(["model.channels", channels], ["model.groups", groups]);
    assert(message.endsWith(`got ${groups}; the nearest that work are ${nearest}`), message);
  }
  const odd = refusal(["model.channels", "33"], ["model.groups", "3"]);
  assert(odd.includes("model.channels must be even"), odd);
  const { model } = parse("{}", ["model.channels", "96"]);
  assert(model.name === "ho2020" && model.channels === 96);
});

Deno.test("parseConfig() refuses fields that only together break a rule", () => {
  const cases: [overrides: Override[], message: string][] = [
    [[["model.attentionLevels", "[4]"]], "model.attentionLevels must name levels from 0 to 3"],
    [[["model.attentionLevels", "[1,1]"]], "model.attentionLevels must name each level once"],
    [[["data.size", "30"]], "be a multiple of 8, got 30; the network halves the side 3 times"],
    [[["data.name", "mnist"]], "data.size must be a multiple of 8, got 28; "],
    [[["data.size", "40"]], "data.size must be at most 32, the side of cifar10, with resize area"],
    [[["data.size", "24"], ["data.resize", "pad"]], "data.size must be at least 32"],
    [[["data.limit", "100"]], "train.batchSize must be at most 100, the number of training images"],
    [
      [["data.name", "synthetic"], ["data.synthetic.count", "64"]],
      "train.batchSize must be at most",
    ],
    [[["data.name", "folder"], ["data.dir", "a"]], "data.size must be given for folder, whose"],
    [[["train.accumulate", "3"]], "train.accumulate must divide train.batchSize, 128, got 3"],
    [
      [["train.evalEvery", "5"], ["data.holdout", "9"]],
      "train.evalCount must be at most data.hold",
    ],
    [
      [["diffusion.target", "xprev"], ["diffusion.schedule", "karras"]],
      'diffusion.target must be another for schedule karras, whose levels are continuous, got "xprev"',
    ],
    [[["diffusion.betaStart", "0.5"]], "diffusion.betaEnd must be at least diffusion.betaStart"],
    [
      [["diffusion.sampler.steps", "50"]],
      "must be null or 1000 for ddpm, got 50; ddpm takes every",
    ],
    [
      [["diffusion.sampler.name", "ddim"], ["diffusion.sampler.steps", "1001"]],
      "diffusion.sampler.steps must be at most diffusion.timesteps, 1000, got 1001",
    ],
  ];
  for (const [overrides, message] of cases) {
    const actual = refusal(...overrides);
    assert(actual.includes(message), `expected "${message}" in "${actual}"`);
  }
});

Deno.test("parseConfig() allows what only looks like a broken rule", () => {
  parse("{}", ["data.holdout", "0"]);
  parse("{}", ["diffusion.betaStart", "0.5"], ["diffusion.schedule", "cosine"]);
  parse("{}", ["diffusion.timesteps", "20"], ["diffusion.sampler.steps", "20"]);
  parse("{}", ["data.name", "mnist"], ["data.size", "32"], ["data.resize", "pad"]);
  parse("{}", ["data.name", "synthetic"], ["data.size", "96"]);
  parse("{}", ["data.size", "64"], ["data.resize", "bicubic"]);
  parse("{}", ["data.size", "16"], ["data.resize", "bilinear"]);
  // A checkpoint's config has no folder: it may be read on another machine.
  parse("{}", ["data.name", "folder"], ["data.size", "64"]);
});

Deno.test("configWarnings() points at a cancelled time embedding and an endless warm-up", () => {
  const cancelled = configWarnings(parse("{}", ["model.channels", "32"]));
  assertEquals(cancelled.length, 1);
  assert(cancelled[0]!.includes("one channel a group at level 0"), cancelled[0]);
  const cold = configWarnings(parse("{}", ["train.steps", "10"]));
  assertEquals(cold.length, 1);
  assert(cold[0]!.includes("never reaches its peak"), cold[0]);
});
