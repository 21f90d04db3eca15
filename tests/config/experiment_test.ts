import { loadExperiment, parseExperiment } from "../../config/experiment.ts";
import { configWarnings } from "../../config/checks.ts";
import { whyNoTheory } from "../../run_log/theory.ts";
import { UsageError } from "../../support/errors.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";

const GRID = {
  seeds: [1, 2],
  config: { train: { steps: 10 } },
  methods: { a: {}, b: { "diffusion.tMax": 50, "optim.lr": 0.5 } },
};

Deno.test("parseExperiment() makes a run for each method and seed, seed by seed", () => {
  const { runs, dir, methods, samples } = parseExperiment(JSON.stringify(GRID), "x/grid.json");
  assertEquals(dir, "runs/grid");
  assertEquals(methods, ["a", "b"]);
  assertEquals(samples, { count: 256, steps: 25, seed: 1000000, ownSampler: false });
  assertEquals(runs.map(({ config }) => [config.run.dir, config.run.seed]), [
    ["runs/grid/a/seed-1", 1],
    ["runs/grid/b/seed-1", 1],
    ["runs/grid/a/seed-2", 2],
    ["runs/grid/b/seed-2", 2],
  ]);
  assertEquals(runs.map(({ config }) => config.diffusion.tMax), ["auto", 50, "auto", 50]);
  assertEquals(runs.map(({ config }) => config.train.steps), [10, 10, 10, 10]);
  assertEquals(runs[1]!.config.optim.lr, 0.5);
});

Deno.test("parseExperiment() applies overrides after the methods' own, and moves the folder", () => {
  const overrides = [["optim.lr", "0.25"], ["run.dir", "else where"]] as const;
  const { runs, dir } = parseExperiment(JSON.stringify(GRID), "grid.json", overrides);
  assertEquals(dir, "else where");
  assertEquals(runs[1]!.config.optim.lr, 0.25);
  assertEquals(runs[1]!.config.run.dir, "else where/b/seed-1");
});

Deno.test("parseExperiment() multiplies axes, and compares along the first alone", () => {
  const grid = {
    seeds: [1],
    axes: {
      network: {
        linear: { model: { name: "linear", bins: 4 } },
        mlp: { model: { name: "mlp", width: 16 }, "optim.name": "adamw" },
      },
      "optim.lr": [0.5, 0.25],
    },
  };
  const { methods, bases, runs } = parseExperiment(JSON.stringify(grid), "g.json");
  assertEquals(methods, ["linear+lr-0.5", "linear+lr-0.25", "mlp+lr-0.5", "mlp+lr-0.25"]);
  assertEquals(methods.map((name) => bases.get(name)), [
    ...["linear+lr-0.5", "linear+lr-0.25", "linear+lr-0.5", "linear+lr-0.25"],
  ]);
  assertEquals(
    runs.map(({ config }) => [config.model.name, config.optim.name, config.optim.lr]),
    [["linear", "adam", 0.5], ["linear", "adam", 0.25], ["mlp", "adamw", 0.5], [
      "mlp",
      "adamw",
      0.25,
    ]],
  );
  const both = parseExperiment(
    JSON.stringify({ ...GRID, axes: { "data.flip": [true] } }),
    "g.json",
  );
  assertEquals(both.methods, ["a+flip-true", "b+flip-true"]);
  assertEquals(both.bases.get("b+flip-true"), "a+flip-true");
});

Deno.test("parseExperiment() gives every run the budget, whatever its batch", () => {
  const grid = {
    ...GRID,
    methods: { a: { "train.batchSize": 4 }, b: { "train.batchSize": 10 } },
    budget: { images: 200 },
  };
  const steps = (value: unknown) =>
    parseExperiment(JSON.stringify(value), "g.json").runs.map(({ config }) => config.train.steps);
  assertEquals(steps({ ...grid, seeds: [1] }), [50, 20]);
  assertEquals(steps({ ...GRID, seeds: [1], budget: { steps: 7 } }), [7, 7]);
  const { early } = parseExperiment(
    JSON.stringify({ ...GRID, budget: { minutes: 2.5 } }),
    "g.json",
  );
  assertEquals(early, { minutes: 2.5, patience: null });
});

Deno.test("parseExperiment() refuses what it cannot run, in one line that says where", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ ...GRID, seed: 1 }, "seed must be one of its keys"],
    [{ ...GRID, seeds: [] }, "seeds must be a list"],
    [{ ...GRID, seeds: [1, 1] }, "each seed once"],
    [{ ...GRID, seeds: [-1] }, "seeds must be a list"],
    [{ ...GRID, methods: {} }, "at least one method"],
    [{ ...GRID, methods: { "a/b": {} } }, 'got "a/b"'],
    [{ ...GRID, methods: { a: 3 } }, "methods.a must be an object"],
    [{ ...GRID, methods: { a: { "optim.rl": 1 } } }, "did you mean optim.lr"],
    [{ ...GRID, methods: { a: { "optim.lr": -1 } } }, "optim.lr must be a number above 0"],
    [{ ...GRID, samples: { count: 1 } }, "samples.count must be a whole number of at least 2"],
    [{ ...GRID, samples: { eta: 1 } }, "samples.eta must be a known key"],
    [{ ...GRID, config: { trian: {} } }, "trian must be a known key"],
    [{ ...GRID, dir: 3 }, "dir must be a string"],
    [{ seeds: [1] }, "methods must be an object"],
    [{ ...GRID, axes: {} }, "axes must be an object with at least one axis"],
    [{ ...GRID, axes: { "optim.lr": [] } }, "axes.optim.lr must have at least one value"],
    [{ ...GRID, axes: { "optim.lr": 3 } }, "axes.optim.lr must be a list of values"],
    [{ ...GRID, axes: { "optim.rl": [1] } }, "did you mean optim.lr"],
    [{ ...GRID, axes: { net: { small: 3 } } }, "axes.net.small must be an object"],
    [{ ...GRID, axes: { "optim.lr": [1, 1] } }, "a+lr-1 is there twice"],
    [{ ...GRID, budget: { images: 0 } }, "budget.images must be a whole number of at least 1"],
    [{ ...GRID, budget: { steps: 5, minutes: 1 } }, "budget must have one of"],
    [{ ...GRID, stop: { patience: 2 } }, "train.evalEvery must be above 0"],
  ];
  for (const [grid, part] of cases) {
    const error = assertThrows(
      () => parseExperiment(JSON.stringify(grid), "g.json"),
      UsageError,
      part,
    );
    assertEquals(error.message.includes("\n"), false);
    assertStringIncludes(error.message, "g.json");
  }
  assertThrows(() => parseExperiment("{", "g.json"), UsageError, "g.json");
});

Deno.test("loadExperiment() says which file it cannot find, or that it is a folder", async () => {
  for (
    const [path, why] of [
      ["config/none.json", "there is no such file"],
      ["config", "the path must name a file, it is a folder"],
    ] as const
  ) {
    const { message } = await assertRejects(() => loadExperiment(path), UsageError);
    assertEquals(message, `Cannot read experiment ${path}: ${why}`);
  }
});

for (const name of ["cifar10-16", "synthetic", "cifar10"]) {
  Deno.test(`loadExperiment() accepts config/spectral/${name}.json: four methods, three seeds`, async () => {
    const path = new URL(`../../config/spectral/${name}.json`, import.meta.url).pathname;
    const { runs, methods, seeds, dir } = await loadExperiment(decodeURIComponent(path));
    assertEquals([methods.length, seeds.length, runs.length], [4, 3, 12]);
    assertEquals(dir, `runs/spectral/${name}`);
    for (const { config } of runs) assertEquals(configWarnings(config), []);
    const of = (method: string) => runs.find((run) => run.method === method)!.config.diffusion;
    assertEquals(of("baseline").timestepSampler.name, "uniform");
    assertEquals(of("baseline").spectralLoss.lambda, 0);
    assertEquals(of("both").timestepSampler, of("reweighted").timestepSampler);
    assertEquals(of("both").spectralLoss, of("spectrum").spectralLoss);
  });
}

for (const name of ["emergence", "emergence-gpu"]) {
  Deno.test(`loadExperiment() accepts config/spectral/${name}.json: five networks on two data sets`, async () => {
    const path = new URL(`../../config/spectral/${name}.json`, import.meta.url).pathname;
    const { runs, methods, bases, dir } = await loadExperiment(decodeURIComponent(path));
    assertEquals([methods.length, runs.length, dir], [10, 30, `runs/spectral/${name}`]);
    for (const { config } of runs) assertEquals(configWarnings(config), []);
    assertEquals(bases.get("unet+photographs"), "linear-sgd+photographs");
    const theory = runs.filter(({ config }) => whyNoTheory(config) === null);
    assertEquals([...new Set(theory.map(({ method }) => method))], ["linear-sgd+fields"]);
  });
}

for (const [name, count] of [["processes", 10], ["remedies", 15]] as const) {
  for (const size of ["", "-gpu"]) {
    Deno.test(`loadExperiment() accepts config/spectral/${name}${size}.json`, async () => {
      const path = new URL(`../../config/spectral/${name}${size}.json`, import.meta.url).pathname;
      const { runs, methods, seeds, dir } = await loadExperiment(decodeURIComponent(path));
      const own = name === "remedies" && size !== "" ? count - 1 : count;
      assertEquals([methods.length, seeds.length, dir], [own, 3, `runs/spectral/${name}${size}`]);
      assertEquals(new Set(runs.map(({ config: { train } }) => train.steps)).size, 1);
      for (const { config } of runs) assertEquals(configWarnings(config), []);
    });
  }
}
