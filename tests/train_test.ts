import { join } from "node:path";
import { parseConfig } from "../config/load.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "./support/assert.ts";
import { inFolder } from "./support/folder.ts";
import { errorLines, ROOT, runScript, type ScriptResult } from "./support/runs.ts";

const SMOKE = ["--config", "config/smoke.json"];

/** A step whose skip connections join to four GiB, which is over every adapter's limit. */
const WIDE = [
  ...["--data.name=synthetic", "--data.size=32", "--data.synthetic.count=8192"],
  ...["--model.channels=64", "--train.batchSize=8192"],
  ...["--model.channelMultipliers=[1,1,1,1]", "--model.attentionLevels=[]", "--model.blocks=1"],
];

function train(...args: string[]): Promise<ScriptResult> {
  return runScript("train.ts", args);
}

/** Fails unless a script ended with code 2 and one line that says all of `parts`. */
function assertWrongUse(result: ScriptResult, ...parts: string[]): void {
  const lines = errorLines(result);
  assertEquals([result.code, lines.length], [2, 1], lines.join("\n"));
  assertMatch(lines[0]!, /^error: Cannot /);
  for (const part of parts) assertStringIncludes(lines[0]!, part);
}

Deno.test("train refuses wrong use with one line and code 2", async () => {
  const cases: [args: string[], part: string][] = [
    [["--config", "config/none.json"], "there is no such file"],
    [["--confg", "config/smoke.json"], "--config"],
    [[...SMOKE, "--train.batchsize=4"], "did you mean train.batchSize?"],
    [[...SMOKE, "--train.batchSize=none"], "must be a whole number"],
    [[...SMOKE, "--train.steps"], 'an override must carry its value after "="'],
    [[...SMOKE, "surplus"], 'it must have no argument, got "surplus"'],
    [[...SMOKE, "--weights", "raw"], "it must come with --from"],
    [[...SMOKE, "--from", "none"], "there is no such file or folder"],
    [["--flagfile", "none.txt"], "Cannot read flags none.txt: there is no such file"],
  ];
  const results = await Promise.all(cases.map(([args]) => train(...args)));
  results.forEach((result, i) => assertWrongUse(result, cases[i]![1]));
});

Deno.test("train --help shows options, overrides and examples", async () => {
  const { code, out } = await train("--help");
  assertEquals(code, 0);
  for (
    const part of [
      "--resume",
      "--from",
      "averaged ones",
      "--dry-run",
      "--profile",
      "--train.batchSize=64",
    ]
  ) {
    assertStringIncludes(out, part);
  }
});

Deno.test("train --dry-run prints the resolved config alone on standard output", async () => {
  await inFolder(async (folder) => {
    const dir = join(folder, "run");
    const { code, out, err } = await train(...SMOKE, "--dry-run", `--run.dir=${dir}`);
    assertEquals(code, 0);
    const config = parseConfig(out, { path: "dry run" });
    assertEquals([config.run.dir, config.train.steps], [dir, 6]);
    assertStringIncludes(err, "44,969 parameters");
    assertMatch(err, /step +4 images, \d+ dispatches, 0\.\d+ GFLOP/);
    assertMatch(err, /activations at the peak/);
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("train --dry-run plans a step that is too large, and train names what would fit", async () => {
  const dry = await train(...WIDE, "--dry-run");
  assertEquals(dry.code, 0, dry.err);
  const { train: { batchSize } } = parseConfig(dry.out, { path: "dry run" });
  const parts = Number(/use --train\.accumulate=(\d+): the same batch/.exec(dry.err)?.[1]);
  assert(parts > 1 && batchSize % parts === 0, dry.err);
  assertMatch(dry.err, /joined would have .*iB, and a binding of this adapter may have/);
  assertMatch(dry.err, /biggest at the peak[^]*│ joined /);
  const fitting = await train(...WIDE, "--dry-run", `--train.accumulate=${parts}`);
  assert(!fitting.err.includes("not fit"), fitting.err);
  await inFolder(async (folder) => {
    const { code, err } = await train(...WIDE, `--run.dir=${folder}`);
    assertEquals(code, 1);
    assertMatch(err, new RegExp(`error: Cannot train ${batchSize} images.*accumulate=${parts}:`));
  });
});

Deno.test("train without --config says that it takes the quickstart", async () => {
  const { code, out, err } = await train("--dry-run");
  assertEquals(code, 0);
  assertStringIncludes(err, "quickstart.json (no --config given)");
  assertEquals(JSON.parse(out).run.dir, "runs/quickstart");
});

Deno.test("train refuses a folder that holds a run, and goes on with --resume", async () => {
  await inFolder(async (folder) => {
    const dir = `--run.dir=${folder}`;
    const first = await train(...SMOKE, dir, "--train.steps=2", "--resume");
    assertEquals(first.code, 0, first.err);
    assertStringIncludes(first.out, join(folder, "samples", "step-000002.png"));
    assertWrongUse(await train(...SMOKE, dir), "--resume", "--run.dir=");
    assertWrongUse(await train(...SMOKE, dir, "--resume", "--optim.lr=1"), "optim.lr");

    const second = await train(...SMOKE, dir, "--resume", "--train.steps=3");
    assertEquals(second.code, 0, second.err);
    assertStringIncludes(second.out, "going on after 2");
    const saved = parseConfig(await Deno.readTextFile(join(folder, "config.json")), { path: "x" });
    assertEquals(saved.train.steps, 3);
    const third = await train(...SMOKE, dir, "--resume");
    assertEquals(third.code, 0, third.err);
    assertStringIncludes(third.out, "is finished");
  });
});

Deno.test("train --profile prints time by kernel and writes nothing", async () => {
  await inFolder(async (folder) => {
    const result = await train(...SMOKE, "--profile", `--run.dir=${join(folder, "run")}`);
    assertEquals(result.code, 0, result.err);
    assertStringIncludes(result.out, "conv2d");
    assertMatch(
      result.out,
      /\d+ dispatches, [\d.]+ ms of kernels; an ordinary step takes [\d.]+ ms/,
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

/** Text of a stream until it holds `part`; the rest is read and dropped. */
async function readUntil(stream: ReadableStream<Uint8Array>, part: string): Promise<string> {
  const reader = stream.pipeThrough(new TextDecoderStream() as never).getReader();
  let text = "";
  while (!text.includes(part)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  (async () => {
    while (!(await reader.read()).done);
  })();
  return text;
}

Deno.test({
  name: "train finishes its step, saves and exits with 0 at SIGTERM, and goes on from there",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}train.ts`],
          ...["--config", `${ROOT}config/smoke.json`, `--run.dir=${folder}`],
          ...["--train.steps=1000000", "--train.logEvery=5", "--train.sampleEvery=0"],
          ...["--train.evalEvery=0", "--train.checkpointEvery=0"],
        ],
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const out = readUntil(child.stdout, "go on by --resume");
      await readUntil(child.stderr, "train ");
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0);
      const step = Number(/Stopped after step (\d+)/.exec(await out)?.[1]);
      assert(step > 0);
      const resumed = await train(
        ...SMOKE,
        `--run.dir=${folder}`,
        "--resume",
        `--train.steps=${step + 1}`,
      );
      assertEquals(resumed.code, 0, resumed.err);
      assertStringIncludes(resumed.out, `going on after ${step.toLocaleString("en-US")}`);
    }),
});
