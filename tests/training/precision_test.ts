import { join } from "node:path";
import type { Gpu } from "../../device/gpu.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { FIRST_LOSS_SCALE } from "../../kernels/optim/loss_scale.ts";
import { checkPrecision } from "../../training/precision.ts";
import { imagesOf, networkOf, type RunContext } from "../../training/run.ts";
import { planStep } from "../../training/step_plan.ts";
import { Trainer } from "../../training/trainer.ts";
import { loadConfig } from "../../config/load.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { checkResumed } from "../support/network_runs.ts";
import { ROOT, smokeConfig, trainInFolder } from "../support/runs.ts";

const HALF = "train.precision=f16";
/** Fewer kernels to compile. */
const SMALL = ["model.channelMultipliers=[1]", "model.attentionLevels=[]", "train.sampleEvery=0"];

async function makeTrainer(...overrides: string[]): Promise<Trainer> {
  const config = await smokeConfig("model.dropout=0", ...SMALL, ...overrides);
  const { images } = await imagesOf(config, () => {});
  const trainer = await Trainer.create(await testGpu(), config, networkOf(config), images);
  trainer.state.initialize(config.run.seed);
  return trainer;
}

async function read(
  trainer: Trainer,
  arena: "weights" | "ema" | "firstMoments",
): Promise<number[]> {
  const values: number[] = [];
  for (const tensor of trainer.state[arena].tensors.values()) {
    values.push(...await trainer.gpu.readF32(tensor));
  }
  return values;
}

const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

Deno.test("Trainer.step() in f16 has the gradients of f32, times the loss scale", async () => {
  if (!(await testGpu()).has("shader-f16")) return;
  const grads: number[][] = [], losses: number[] = [], norms: number[] = [];
  for (const precision of ["f32", "f16"]) {
    const trainer = await makeTrainer(`train.precision=${precision}`, "train.accumulate=2");
    trainer.step(0);
    // After one step they are the gradients, clipped, up to a factor.
    grads.push(await read(trainer, "firstMoments"));
    losses.push(...await trainer.readLosses(0, 1));
    norms.push(await trainer.readGradNorm());
    trainer.destroy();
  }
  const [full, half] = grads as [number[], number[]];
  const apart = norm(full.map((v, i) => v - half[i]!)) / norm(full);
  assert(apart > 0 && apart < 4e-3, `gradients are ${apart} apart`);
  assert(Math.abs(norms[1]! / norms[0]! - 1) < 2e-3, `norms ${norms}`);
  assert(Math.abs(losses[1]! / losses[0]! - 1) < 1e-3, `losses ${losses}`);
});

Deno.test("Trainer.step() in f16 skips a step whose gradients overflow, and halves the scale", async () => {
  const gpu = await testGpu();
  if (!gpu.has("shader-f16")) return;
  const trainer = await makeTrainer(HALF);
  const start = [await read(trainer, "weights"), await read(trainer, "ema")];
  gpu.write(trainer.state.lossScale!, Float32Array.of(2 ** 40, 0, 0, 0));
  trainer.step(0);
  assertEquals([await read(trainer, "weights"), await read(trainer, "ema")], start);
  assertEquals(await trainer.readLossScale(), { scale: 2 ** 39, skipped: 1, gradNorm: 0 });
  gpu.write(trainer.state.lossScale!, Float32Array.of(FIRST_LOSS_SCALE, 0, 1, 0));
  trainer.step(1);
  const { scale, skipped, gradNorm } = (await trainer.readLossScale())!;
  assertEquals([scale, skipped], [FIRST_LOSS_SCALE, 1]);
  assert(gradNorm > 0 && Number.isFinite(gradNorm));
  assert((await read(trainer, "weights")).some((value, i) => value !== start[0]![i]));
  trainer.destroy();
});

Deno.test("trainRun() in f16 goes on to the same bytes", async () => {
  if (!(await testGpu()).has("shader-f16")) return;
  await checkResumed(await smokeConfig(HALF, ...SMALL, "train.steps=4"));
});

Deno.test("trainRun() logs the loss scale, and stops where none down to 1 has finite gradients", () =>
  inFolder(async (folder) => {
    const gpu = await testGpu();
    if (!gpu.has("shader-f16")) return;
    const config = await smokeConfig(HALF, ...SMALL);
    // As if gradients had overflowed again and again.
    const watch: RunContext["observe"] = (trainer) =>
      Promise.resolve([{
        everySteps: 1,
        atEnd: false,
        read: () => {
          gpu.write(trainer.state.lossScale!, Float32Array.of(0.5, 0, 17, 1));
          return Promise.resolve(null);
        },
      }]);
    await assertRejects(
      () => trainInFolder(config, folder, { observe: watch }),
      Error,
      "gradients in f16 must be finite at a loss scale of 1 or more",
    );
    const [first = ""] = (await Deno.readTextFile(join(folder, "log.jsonl"))).split("\n");
    const { step, lossScale, skippedSteps } = JSON.parse(first);
    assertEquals([step, lossScale, skippedSteps], [1, FIRST_LOSS_SCALE, 0]);
  }));

Deno.test("planStep() needs at most 0.6 of the memory for activations in f16", async () => {
  const gpu = planningGpu(null, { unlimited: true });
  const peak = async (precision: string) => {
    const overrides = [["train.precision", precision], ["train.batchSize", "512"]] as const;
    const config = await loadConfig(`${ROOT}config/quickstart.json`, overrides);
    return planStep({ gpu, config, network: networkOf(config) }, true).memory.peakBytes;
  };
  const [full, half] = [await peak("f32"), await peak("f16")];
  assert(half < 0.6 * full, `${half} bytes against ${full}`);
});

Deno.test("checkPrecision() refuses f16 in one line where the adapter has none", () => {
  const gpu: Gpu = planningGpu(null);
  checkPrecision(gpu, "f32", "");
  assertThrows(
    () => checkPrecision(gpu, "f16", "--precision f32"),
    RangeError,
    "Cannot compute in f16: the adapter must have shader-f16, no adapter has not; use --precision f32",
  );
});
