import { parseConfig } from "../../config/load.ts";
import { imageSet } from "../../data/dataset.ts";
import { makeSynthetic } from "../../data/sets/synthetic.ts";
import { setVariantPolicy } from "../../kernels/shared/variants.ts";
import { networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import { stepOps } from "../../training/tunable_ops.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { restorePolicy, testGpu } from "../support/gpu.ts";

Deno.test("stepOps() lists every op that a trainer then chooses variants for, and sampling batches", async () => {
  const gpu = await testGpu();
  const config = parseConfig(
    JSON.stringify({
      data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 3 } },
      model: { channels: 8, channelMultipliers: [1, 2], attentionLevels: [1], groups: 4 },
      train: { batchSize: 6, accumulate: 2 },
    }),
    { path: "test" },
  );
  const network = networkOf(config);
  const size = { height: 8, width: 8, channels: 3 };
  const ops = stepOps(gpu, network, 3, 16, size);
  const trained = new Set<string>();
  const kind = { kind: "shapes", channels: 3, power: 2 } as const;
  const images = imageSet("synthetic", makeSynthetic(kind, "train", 6, 8));
  try {
    setVariantPolicy(gpu, { observe: (key) => void trained.add(key) });
    (await Trainer.create(gpu, config, network, images)).destroy();
  } finally {
    restorePolicy(gpu);
  }
  assertEquals([...trained].filter((key) => !ops.has(key)), []);
  assert(trained.size > 20, `${trained.size}`);
  assert([...ops.keys()].some((key) => key.startsWith("conv2d.forward 16x8x8")));
  assert([...stepOps(gpu, network, 3, 0, size).keys()].every((key) => !/ 16x8x8/.test(key)));
});
