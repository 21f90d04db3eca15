import { configWarnings } from "../../config/checks.ts";
import { NO_POWER_EMA, PLAIN_EMA, PLAIN_RATE, PLAIN_START } from "../../optim/options.ts";
import {
  configName,
  formatConfig,
  loadConfig,
  type Override,
  parseConfig,
} from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { NO_AUXILIARY } from "../../diffusion/auxiliary/registry.ts";
import { SAMPLER_DEFAULTS, samplerMoves } from "../../diffusion/samplers/registry.ts";
import { unetOptions } from "../model/networks/ho2020/options.ts";

const parse = (text: string, ...overrides: Override[]) =>
  parseConfig(text, { path: "config/x.json", overrides });

const shipped = (name: string) =>
  decodeURIComponent(new URL(`../../config/${name}.json`, import.meta.url).pathname);

Deno.test("parseConfig() gives an empty config the settings of Ho et al. 2020", () => {
  const expected: Config = {
    run: { dir: "runs/x", seed: 0 },
    data: {
      name: "cifar10",
      dir: null,
      size: null,
      resize: "area",
      channels: 3,
      crop: true,
      ...{ buckets: null, bucketStep: 8, bucketRatio: 2 },
      skipBroken: false,
      imageColumn: null,
      labelColumn: null,
      stream: false,
      flip: true,
      limit: null,
      holdout: 1024,
      range: [-1, 1],
      classes: null,
      flipVertical: false,
      augment: {
        ...{ probability: 0, yflip: 1, rotateInt: 0, translateInt: 0, translateIntMax: 0.125 },
        ...{ scale: 1, rotateFrac: 1, aniso: 1, translateFrac: 1, scaleStd: 0.2, rotateFracMax: 1 },
        ...{ anisoStd: 0.2, anisoRotateProb: 0.5, translateFracStd: 0.125, brightness: 0 },
        ...{ contrast: 0, lumaflip: 0, hue: 0, saturation: 0, brightnessStd: 0.2 },
        ...{ contrastStd: 0.5, hueMax: 1, saturationStd: 1 },
      },
      synthetic: { kind: "field", power: 2, dims: 2, depth: null, channels: 3, count: 1024 },
      mix: {
        first: "cifar10",
        second: "mnist",
        kind: "union",
        ratio: null,
        position: "random",
        blend: "max",
        opacity: 1,
        secondSplit: "same",
      },
    },
    model: {
      name: "ho2020",
      channels: 128,
      channelMultipliers: [1, 2, 2, 2],
      attentionLevels: [1],
      blocks: 2,
      dropout: 0.1,
      groups: 32,
      classes: 0,
      labelDropout: 0,
      latent: { autoencoder: null, channels: 4, factor: 8 },
      lora: { rank: 0, alpha: null, layers: ["*"] },
    },
    diffusion: {
      timesteps: 1000,
      schedule: "linear-torch",
      betaStart: 1e-4,
      betaEnd: 0.02,
      scheduleOptions: {
        shift: 1,
        zeroTerminalSnr: false,
        cosineOffset: 0.008,
        sigmoidStart: -3,
        sigmoidEnd: 3,
        sigmoidTau: 1,
        sigmoidRounded: false,
        spectrum: null,
        focus: "mixed",
        spectrumLow: 0.01,
        spectrumHigh: 100,
        betas: null,
        hidden: 1024,
        gradientShare: 1,
        sigmaMin: 0.002,
        sigmaMax: 80,
        rho: 7,
        vpBetaD: 19.9,
        vpBetaMin: 0.1,
        vpLeast: 0.001,
      },
      process: "ddpm",
      processOptions: {
        calibrate: false,
        spectrum: null,
        mean: null,
        power: -1,
        bandFrom: 0.25,
        bandTo: 2,
        floor: 0.1,
        blurMax: null,
        blurFloor: 0.001,
        blurMin: 0.5,
        heatNoise: 0.01,
        bluePower: 1,
        blueFrom: 0,
        blueTo: 3,
        blueTau: 0.9,
        blurToNoise: 0.5,
        fansBands: 5,
        fansBeta: 1,
        fansGamma: 1,
      },
      target: "epsilon",
      dualOutput: { noiseWeight: 0.1, imageWeight: 0.1, limit: 2 },
      xprevOutput: "residual",
      weighting: "uniform",
      weightingOptions: {
        p2Gamma: 1,
        p2K: 1,
        p2Slip: false,
        snrGamma: 5,
        sigmoidBias: 2,
      },
      sigmaData: 0.5,
      lossOn: "output",
      lossLimit: 20,
      lossLimitTarget: true,
      loss: "mse",
      lossScale: 1,
      noise: {
        name: "gaussian",
        offset: 0,
        pyramid: 0,
        perturbation: 0,
        immiscible: false,
        laplaceMean: 0,
        laplaceScale: Math.SQRT1_2,
        salt: 0.01,
        pepper: 0.01,
        saltPepperSlip: false,
      },
      selfConditionBy: "sample",
      timestepSampler: {
        name: "uniform",
        probability: 0.5,
        importanceCorrect: false,
        logMean: -1.2,
        logDeviation: 1.2,
        bins: 20,
        decay: 0.95,
        uniformShare: 0.1,
        logitMean: 0,
        logitDeviation: 1,
        betaA: 1,
        betaB: 1.5,
        modeScale: 1.29,
      },
      spectralLoss: {
        lambda: 0,
        mode: "ddim",
        spectrum: "complex",
        power: 1,
        bands: null,
        allowPrinted: false,
      },
      auxiliary: NO_AUXILIARY,
      spectralForcing: { on: false, sharpness: 30, least: 0.05, most: 1 },
      tMax: "auto",
      variance: "fixedlarge",
      objective: "denoising",
      layerLossFactor: 1,
      vlbWeight: 0.001,
      vlbFloor: null,
      clipX0: true,
      sampler: {
        ...SAMPLER_DEFAULTS as unknown as Config["diffusion"]["sampler"],
        ...{ name: "ddpm", steps: null, eta: 0, spacing: "uniform", clipRange: 1, threshold: null },
      },
    },
    optim: {
      name: "adam",
      lr: 2e-4,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
      warmupSteps: 5000,
      decay: "constant",
      ...PLAIN_RATE,
      gradClip: 1,
      ema: { decay: 0.9999, ...PLAIN_EMA },
      powerEma: NO_POWER_EMA,
      ...PLAIN_START,
    },
    train: {
      steps: 800000,
      batchSize: 128,
      accumulate: 1,
      recompute: true,
      precision: "f32",
      logEvery: 100,
      sampleEvery: 1000,
      sampleCount: 64,
      evalEvery: 0,
      evalCount: 1024,
      checkpointEvery: 5000,
      epochs: null,
      keep: 2,
      tensorboard: false,
      distributed: "none",
    },
    instruments: {
      bandLoss: true,
      timestepBins: 10,
      spectra: true,
      spectraCount: 64,
      spectraTimesteps: [0.02, 0.05, 0.1, 0.2, 0.4, 0.7],
      spectraReference: 1024,
      emergence: true,
      emergenceLooks: "auto",
      emergenceModes: 256,
      memorisation: 1024,
    },
    metrics: {
      every: 0,
      names: ["fid", "spectrum"],
      count: 1000,
      reference: null,
      features: "own",
      estimate: false,
      best: "fid",
    },
  };
  assertEquals(parse("{}"), expected);
  assertEquals(parse('{"$schema": "./schema.json"}'), expected);
});

for (const name of ["cifar10", "quickstart", "classes", "smoke"]) {
  Deno.test(`loadConfig() accepts config/${name}.json without warnings`, async () => {
    const config = await loadConfig(shipped(name));
    assertEquals(config.run.dir, `runs/${name}`);
    assertEquals(configWarnings(config), []);
    assertEquals(makeSchedule(config.diffusion).timesteps, config.diffusion.timesteps);
    assert(samplerMoves(makeProcess(config.diffusion), config.diffusion.sampler).length > 0);
  });
}

Deno.test("loadConfig() of config/cifar10.json is the defaults, so that both say one thing", async () => {
  const config = await loadConfig(shipped("cifar10"));
  assertEquals({ ...config, run: { ...config.run, dir: "runs/x" } }, parse("{}"));
});

Deno.test("loadConfig() says which file it cannot find, or that it is a folder", async () => {
  await assertRejects(
    () => loadConfig("config/none.json"),
    UsageError,
    "Cannot read config config/none.json: there is no such file",
  );
  await assertRejects(
    () => loadConfig("config"),
    UsageError,
    "Cannot read config config: the path must name a file, it is a folder",
  );
});

Deno.test("configName() is the file name without .json", () => {
  assertEquals(
    ["config/quickstart.json", "C:\\a\\b.json", "plain", "a.json/b.c.json"].map(configName),
    ["quickstart", "b", "plain", "b.c"],
  );
});

Deno.test("parseConfig() applies overrides as JSON, or as text where JSON does not fit", () => {
  const config = parse(
    '{"train": {"steps": 5, "keep": 3}}',
    ["train.steps", "10"],
    ["train.steps", "1e2"],
    ["model.channelMultipliers", "[1, 2]"],
    ["diffusion.target", "x0"],
    ["diffusion.variance", '"fixedsmall"'],
    ["data.flip", "false"],
    ["data.dir", "null"],
    ["run.dir", "2024"],
    ["diffusion.sampler", '{"name": "ddim", "steps": 25}'],
    ["diffusion.sampler.eta", "0.5"],
  );
  assertEquals(config.train.steps, 100);
  assertEquals(config.train.keep, 3);
  assertEquals(unetOptions(config.model).channelMultipliers, [1, 2]);
  assertEquals(config.diffusion.target, "x0");
  assertEquals(config.diffusion.variance, "fixedsmall");
  assertEquals(config.data.flip, false);
  assertEquals(config.data.dir, null);
  assertEquals(config.run.dir, "2024");
  const { name, steps, eta, spacing } = config.diffusion.sampler;
  assertEquals([name, steps, eta, spacing], ["ddim", 25, 0.5, "uniform"]);
});

Deno.test("parseConfig() takes all that train.recompute can be", () => {
  for (const value of [true, false, "blocks"]) {
    const overrides = [["train.recompute", `${value}`]] as const;
    assertEquals(parseConfig("{}", { path: "test", overrides }).train.recompute, value);
  }
});

Deno.test("parseConfig() refuses unknown keys in the file and suggests the known one", () => {
  const cases: [text: string, message: string][] = [
    ['{"trian": {}}', "trian must be a known key, did you mean train?"],
    ['{"train": {"batchsize": 3}}', "train.batchsize must be a known key, did you mean train."],
    ['{"optim": {"ema": {"decya": 1}}}', "did you mean optim.ema.decay?"],
    ['{"__proto__": {"a": 1}}', "__proto__ must be a known key"],
    ['{"train": {"$schema": "x"}}', "train.$schema must be a known key"],
  ];
  for (const [text, message] of cases) assertThrows(() => parse(text), UsageError, message);
  assertThrows(() => parse('{"trian": {}}'), UsageError, "Cannot use config config/x.json: ");
});

Deno.test("parseConfig() blames the override that is wrong, in one line", () => {
  const cases: [key: string, text: string, message: string][] = [
    ["train.stesp", "1", "Cannot use --train.stesp=1: train.stesp must be a known key, did you"],
    ["train.steps.x", "1", "did you mean train.steps?"],
    ["__proto__.x", "1", "__proto__.x must be a known key"],
    ["constructor", "1", "constructor must be a known key"],
    ["diffusion.sampler", '{"nam": 1}', "diffusion.sampler.nam must be a known key, did you mean"],
    ["train", "5", "Cannot use --train=5: train must be an object, got 5"],
    [
      "train.steps",
      "abc",
      'Cannot use --train.steps=abc: train.steps must be a whole number of at least 1, or a length of time such as 5 epochs or 300k images, got "abc"',
    ],
    [
      "train.steps",
      "0",
      "train.steps must be a whole number of at least 1, or a length of time such as 5 epochs or 300k images, got 0",
    ],
    [
      "train.steps",
      "1.5",
      "a whole number of at least 1, or a length of time such as 5 epochs or 300k images, got 1.5",
    ],
    [
      "train.logEvery",
      "-1",
      "a whole number of at least 0, or a length of time such as 5 epochs or 300k images, got -1",
    ],
    ["run.seed", "1e400", "a whole number from 0 to 9007199254740991, got Infinity"],
    ["train.recompute", "yes", 'train.recompute must be true, false or blocks, got "yes"'],
    ["data.flip", "yes", 'data.flip must be true or false, got "yes"'],
    ["data.synthetic.channels", "2", "data.synthetic.channels must be 1 or 3, got 2"],
    ["diffusion.schedule", "cos", "be one of linear, cosine, linear-torch, linear-scaled, "],
    ["diffusion.betaStart", "0", "be a number between 0 and 1, got 0"],
    ["diffusion.sampler.eta", "1.1", "be a number from 0 to 1, got 1.1"],
    ["model.dropout", "1", "be a number of at least 0 and below 1, got 1"],
    ["model.channelMultipliers", "[]", "be a list of at least one whole number of at least 1"],
    ["model.channelMultipliers", "[1,0]", "model.channelMultipliers[1] must be a whole number"],
    ["optim.betas", "[0.9]", "optim.betas must be a list of two numbers, got [0.9]"],
    ["optim.lr", "0", "optim.lr must be a number above 0, got 0"],
  ];
  for (const [key, text, message] of cases) {
    const error = assertThrows(() => parse("{}", [key, text]), UsageError, message);
    assert(!error.message.includes("\n"), error.message);
  }
});

Deno.test("parseConfig() hands on where the text stops being JSON", () => {
  assertThrows(() => parse('{\n"train": }'), UsageError, "config/x.json: line 2, column 10 must");
  assertThrows(() => parse("[]"), UsageError, "it must be an object, got []");
});

Deno.test("formatConfig() is deterministic, readable and read back to the same config", () => {
  const a = parse('{"train": {"keep": 3, "steps": 7}, "model": {"attentionLevels": []}}');
  const b = parse('{"model": {"attentionLevels": []}, "train": {"steps": 7, "keep": 3}}');
  const odd = parse("{}", ["run.dir", 'a [\n 1 ] "b"']);
  assertEquals(formatConfig(a), formatConfig(b));
  assert(formatConfig(a).includes('"channelMultipliers": [1, 2, 2, 2],\n'));
  for (const config of [a, odd]) assertEquals(parse(formatConfig(config)), config);
});
