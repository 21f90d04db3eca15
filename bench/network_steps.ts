/**
 * A training step of every network, as the config of its name trains it, at one size: 16 images of
 * 16x16 in one channel.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig, type Override } from "../config/load.ts";
import { imageSet } from "../data/dataset.ts";
import { makeSynthetic } from "../data/sets/synthetic.ts";
import { networkOf } from "../training/run.ts";
import { Trainer } from "../training/trainer.ts";
import type { BenchCase, BenchRun } from "./bench_case.ts";
import { checkGradient } from "./gradient_check.ts";

const CONFIGS = fileURLToPath(new URL("../config/", import.meta.url));
const SIZE = 16;
const BATCH = 16;

/** Config by network; those that write over weights in a pass have no slope along a gradient. */
const NETWORKS: Readonly<Record<string, { readonly config: string; readonly fixed?: boolean }>> = {
  ho2020: { config: "quickstart" },
  guided: { config: "guided" },
  diffusers: { config: "diffusers" },
  lucid: { config: "lucid" },
  lucid_karras: { config: "lucid-karras", fixed: true },
  full: { config: "full" },
  edm: { config: "edm" },
  edm2: { config: "edm2", fixed: true },
  dit: { config: "dit" },
  mlp: { config: "mlp" },
  linear: { config: "linear" },
  unrolled: { config: "unrolled" },
};

const OVERRIDES: readonly Override[] = [
  ["data.name", "synthetic"],
  ["data.size", `${SIZE}`],
  ["data.synthetic.kind", "shapes"],
  ["data.synthetic.channels", "1"],
  ["train.batchSize", `${BATCH}`],
  ["train.evalEvery", "0"],
];

function networkStep(name: string, file: string, fixed: boolean): BenchCase {
  return {
    name: `${name}_network_step`,
    summary: `training step of config/${file}.json, ${BATCH} images of ${SIZE} x ${SIZE}`,
    unit: "s/step",
    ceiling: "multiply_add",
    async open(gpu) {
      const config = await loadConfig(join(CONFIGS, `${file}.json`), OVERRIDES);
      const network = networkOf(config);
      const kind = { kind: "shapes", channels: 1, power: 2 } as const;
      const images = imageSet("synthetic", makeSynthetic(kind, "train", BATCH, SIZE));
      let trainer: Trainer | undefined;
      let step = 0;
      const loss = async () => {
        trainer!.step(0);
        return (await trainer!.readLosses(0, 1))[0]!;
      };
      return {
        get work() {
          return 2 * (trainer?.work.multiplyAdds ?? 0);
        },
        async start() {
          trainer = await Trainer.create(gpu, config, network, images);
          trainer.state.initialize(1);
        },
        run: () => trainer!.step(step++),
        async dispatches() {
          const kernels = await trainer!.profileStep(step++);
          return kernels.reduce((sum, kernel) => sum + kernel.dispatches, 0);
        },
        memory: () => trainer!.state.byteLength + trainer!.memory.peakBytes,
        async validate() {
          const { weights, grads } = trainer!.state;
          if (!fixed) return await checkGradient(gpu, weights, grads, loss);
          const before = await loss();
          // Past the warm-up, during which nothing moves.
          for (let i = 0; i < 20; i++) await trainer!.step(1000 + i);
          const after = await loss();
          if (after < before) return;
          throw new Error(
            `Cannot measure the step: its loss must fall from ${before}, got ${after}`,
          );
        },
        destroy: () => trainer?.destroy(),
      } satisfies BenchRun;
    },
  };
}

/** A step of each network. */
export const NETWORK_STEPS: readonly BenchCase[] = Object.entries(NETWORKS).map((
  [name, { config, fixed = false }],
) => networkStep(name, config, fixed));
