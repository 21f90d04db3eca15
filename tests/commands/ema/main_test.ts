import { join } from "node:path";
import { powerDecayOf } from "../../../optim/power_ema.ts";
import { Checkpoint } from "../../../training/checkpoint.ts";
import { storedAverages } from "../../../training/power_averages.ts";
import { runFolder } from "../../../training/run_folder.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { ROOT, smokeConfig, trainInFolder } from "../../support/runs.ts";

const OVERRIDES = [
  ...["train.steps=4", "train.logEvery=0", "train.sampleEvery=0", "train.checkpointEvery=1"],
  ...["train.keep=9", "optim.powerEma.widths=[0.1,0.2]", "optim.powerEma.every=2"],
  ...["optim.warmupSteps=0", "instruments.bandLoss=false", "instruments.spectra=false"],
];

async function ema(...args: string[]) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "commands/ema/main.ts", ...args],
    cwd: ROOT,
  });
  const { code, stdout, stderr } = await command.output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** All values of a file's tensors whose names begin with `prefix`, by the rest of the name. */
async function valuesOf(path: string, prefix: string): Promise<Map<string, Float32Array>> {
  const file = await Checkpoint.open(path);
  const found = new Map<string, Float32Array>();
  for (const [name, { shape }] of file.tensors) {
    if (name.startsWith(prefix)) found.set(name.slice(prefix.length), await file.read(name, shape));
  }
  return found;
}

Deno.test("ema makes of stored averages what sample and eval take, and a resumed run stores the same", () =>
  inFolder(async (folder) => {
    const config = await smokeConfig(...OVERRIDES);
    const whole = join(folder, "whole"), cut = join(folder, "cut");
    await trainInFolder(config, whole);
    await trainInFolder(config, cut, { stopAfter: 3 });
    await trainInFolder(config, cut, { resume: true });
    const stored = await storedAverages(runFolder(whole).averages);
    assertEquals(stored.map(({ step, width }) => [step, width]), [
      [2, 0.1],
      [2, 0.2],
      [4, 0.1],
      [4, 0.2],
    ]);
    for (const { path } of stored) {
      const again = path.replace(whole, cut);
      assertEquals(await Deno.readFile(again), await Deno.readFile(path), again);
    }
    // The first average is what its decays say of the weights of each step.
    const { checkpoints } = runFolder(whole);
    const steps = [1, 2].map((step) => join(checkpoints, `step-00000${step}.safetensors`));
    const [first, second] = [
      await valuesOf(steps[0]!, "model/"),
      await valuesOf(steps[1]!, "model/"),
    ];
    const decay = powerDecayOf(0.1, 2, 1);
    // After one step an average is the weights.
    for (const [name, values] of await valuesOf(stored[0]!.path, "ema/")) {
      const expected = Float32Array.from(
        second.get(name)!,
        (value, i) => decay * first.get(name)![i]! + (1 - decay) * value,
      );
      assertAllClose(values, expected, { rtol: 1e-5, atol: 1e-7 });
    }
    const out = join(folder, "made.safetensors");
    const { code, text } = await ema(whole, "--width", "0.2", "--out", out);
    assertEquals(code, 0, text);
    // A width that was stored is made of itself.
    const made = await valuesOf(out, "ema/");
    assert(made.size > 10);
    for (const [name, values] of await valuesOf(stored[3]!.path, "ema/")) {
      assertAllClose(made.get(name)!, values, { rtol: 1e-5, atol: 1e-7 });
    }
    const wrong = await ema(whole, "--width", "0.7");
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.text, "--width");
    const off = await ema(whole, "--width", "0.1", "--step", "3");
    assertStringIncludes(off.text, "--step must be one of 2, 4, got 3");
  }));
