import { join } from "node:path";
import type { Config } from "../../config/schema.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import { learnedLogSnr, LOG_SNR_ENDS } from "../../diffusion/schedules/learned.ts";
import { createArena } from "../../model/parameters.ts";
import { Checkpoint, stepName } from "../../training/checkpoint.ts";
import { learnsSchedule, withLearned } from "../../training/learned_schedule.ts";
import { networkSampler } from "../../training/network_sampler.ts";
import { writeGrid } from "../../training/pictures.ts";
import type { RunConfig } from "../../training/run_config.ts";
import { imagesOf, networkOf } from "../../training/run.ts";
import { processOf } from "../../training/run_process.ts";
import { EMA_PREFIX, loadWeights } from "../../training/state.ts";
import { Trainer } from "../../training/trainer.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

const learned = (...overrides: string[]) =>
  smokeConfig("diffusion.schedule=learned", "diffusion.scheduleOptions.hidden=20", ...overrides);

const size = { height: 8, width: 8, channels: 1 };

/** l at 21 times of some weights of a checkpoint. */
async function curveOf(config: Config, checkpoint: Checkpoint, weights: "ema" | "raw") {
  const { diffusion }: RunConfig = await withLearned(config, { checkpoint, weights });
  const logSnr = learnedLogSnr(diffusion.learnedLogSnr!);
  return Array.from({ length: 21 }, (_, i) => logSnr(i / 20));
}

Deno.test("a learned schedule moves between ends that stay, monotonously, and the average behind it", () =>
  inFolder(async (folder) => {
    const config = await learned("train.evalEvery=0");
    const { lines } = await trainInFolder(config, folder);
    assert(
      lines.some((line) => line.includes("63 of them for the learned noise schedule")),
      lines[2],
    );
    const at = async (step: number, weights: "ema" | "raw") =>
      await curveOf(
        config,
        await Checkpoint.open(join(folder, `checkpoints/${stepName(step)}.safetensors`)),
        weights,
      );
    const [before, after, average] = [await at(3, "raw"), await at(6, "raw"), await at(6, "ema")];
    for (const curve of [before, after, average]) {
      assertAllClose([curve[0]!, curve[20]!], [LOG_SNR_ENDS.start, LOG_SNR_ENDS.end], {
        rtol: 1e-12,
      });
      assert(curve.every((l, i) => i === 0 || l < curve[i - 1]!), curve.join());
    }
    const moved = (a: number[], b: number[]) => Math.max(...a.map((l, i) => Math.abs(l - b[i]!)));
    assert(moved(before, after) > 1e-4 && moved(average, after) > 1e-5);
  }));

Deno.test("a run with a learned schedule goes on to the same bytes", () =>
  inFolder(async (folder) => {
    const config = await learned();
    const [whole, cut] = [join(folder, "whole"), join(folder, "cut")];
    await trainInFolder(config, whole);
    await trainInFolder(config, cut, { stopAfter: 4 });
    await trainInFolder(config, cut, { resume: true });
    const bytes = async (dir: string) =>
      await Deno.readFile(join(dir, `checkpoints/${stepName(6)}.safetensors`));
    assertEquals(await bytes(cut), await bytes(whole));
  }));

Deno.test("previews of a learned schedule are what a checkpoint draws with what was learned", () =>
  inFolder(async (folder) => {
    const config = await learned("train.evalEvery=0");
    const { picture } = await trainInFolder(config, folder);
    const gpu = await testGpu(), network = networkOf(config);
    const checkpoint = await Checkpoint.open(
      join(folder, `checkpoints/${stepName(6)}.safetensors`),
    );
    const weights = createArena(gpu, "weights", network);
    await loadWeights(gpu, weights, checkpoint, EMA_PREFIX);
    const subject = { network, weights, size };
    await assertRejects(
      () => networkSampler(gpu, { ...subject, process: processOf(config) }),
      TypeError,
      "the schedule must be as it was learned",
    );
    const process = processOf(await withLearned(config, { checkpoint, weights: "ema" }));
    const sampler = await networkSampler(gpu, { ...subject, process });
    const seeds = [0, 1, 2, 3].map((i) => config.run.seed + i);
    const images = await sampler.sample(samplerMoves(process, config.diffusion.sampler), seeds);
    await writeGrid(join(folder, "again.png"), images, 4, size);
    assertEquals(await Deno.readFile(join(folder, "again.png")), await Deno.readFile(picture!));
    sampler.destroy();
    weights.destroy(gpu);
  }));

Deno.test("Trainer.step() makes no GPU objects with a learned schedule, and its gradient share can be 0", async () => {
  const config = await learned("diffusion.scheduleOptions.gradientShare=0");
  const { images } = await imagesOf(config, () => {});
  const gpu = await testGpu();
  const trainer = await Trainer.create(gpu, config, networkOf(config), images);
  trainer.state.initialize(0);
  const weights = async () => [
    ...await gpu.readF32(trainer.state.weights.get("logSnr.hidden.weight")),
  ];
  const first = await weights();
  trainer.step(0);
  await gpu.finish();
  const objects = ({ buffers, bindGroups, pipelines }: typeof gpu.counters) => [
    ...[buffers, bindGroups, pipelines],
  ];
  const before = objects(gpu.counters);
  for (const step of [1, 2]) trainer.step(step);
  await gpu.finish();
  assertEquals(objects(gpu.counters), before);
  assertEquals(await weights(), first);
  trainer.destroy();
});

Deno.test("withLearned() leaves other configs as they are", async () => {
  const config = await smokeConfig();
  assert(!learnsSchedule(config) && !("logSnr" in networkOf(config)));
  const checkpoint = { read: () => Promise.reject(new Error("nothing is read")) };
  assertEquals(await withLearned(config, { checkpoint, weights: "ema" }), config);
});

Deno.test("a learned schedule is refused where levels are looked up, with what to do", async () => {
  for (
    const [override, message] of [
      ["diffusion.target=score", "diffusion.target must be epsilon, x0 or v for schedule learned"],
      [
        "diffusion.weighting=p2",
        "diffusion.weighting must be uniform or min-snr for schedule learned",
      ],
      ["diffusion.process=power", "diffusion.process must be ddpm for schedule learned"],
      ["diffusion.timestepSampler.name=adaptive", "diffusion.timestepSampler.name must be uniform"],
      ["diffusion.lossOn=x0", "diffusion.lossOn must be output for schedule learned"],
      ["diffusion.spectralLoss.lambda=1", "diffusion.spectralLoss.lambda must be 0"],
      ["diffusion.auxiliary.wavelet.weight=1", "diffusion.schedule must be another than learned"],
      ["diffusion.loss=norm-huber", "diffusion.loss must be another than norm-huber"],
    ] as const
  ) {
    await assertRejects(() => learned(override), UsageError, message);
  }
  await assertRejects(
    () => learned("diffusion.target=score"),
    UsageError,
    "log-snr-linear has the same ends and goes with everything",
  );
});
