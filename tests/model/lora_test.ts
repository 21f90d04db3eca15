import { join } from "node:path";
import { fromCheckpoint } from "../../commands/shared/checkpoints/portable.ts";
import { sizeOf } from "../../device/tensor.ts";
import { Conv2d, Linear } from "../../model/layers.ts";
import { addLora, namedLoras } from "../../model/lora.ts";
import { Module, namedParameters } from "../../model/module.ts";
import { Checkpoint, newestCheckpoint } from "../../training/checkpoint.ts";
import { imagesOf, networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { randomValues, testGpu } from "../support/gpu.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

const OPTIONS = ["train.batchSize=4", "train.sampleEvery=0", "train.evalEvery=0"];
const LORA = ["model.lora.rank=3", "model.lora.alpha=6"];
/** Layers of each kind, with their rows and columns. */
const LAYERS = {
  "down.0.blocks.0.conv1": [3 * 3 * 8, 8],
  "head": [3 * 3, 8],
  "timeEmbedding.first": [8, 32],
} as const;

/** A trainer whose network was made from values by name, after one step. */
async function stepped(
  overrides: readonly string[],
  valueOf: (name: string, size: number) => Float32Array<ArrayBuffer>,
) {
  const config = await smokeConfig(...OPTIONS, ...overrides);
  const { images } = await imagesOf(config, () => {});
  const gpu = await testGpu();
  const trainer = await Trainer.create(gpu, config, networkOf(config), images);
  for (const [name, tensor] of trainer.state.weights.tensors) {
    gpu.write(tensor, valueOf(name, sizeOf(tensor.shape)));
  }
  trainer.step(0);
  const grads = new Map<string, Float32Array>();
  for (const [name, tensor] of trainer.state.grads.tensors) {
    grads.set(name, await gpu.readF32(tensor));
  }
  const [loss] = await trainer.readLosses(0, 1);
  const loras = new Map(namedLoras(trainer.network));
  trainer.destroy();
  return { grads, loss: loss!, loras };
}

/** Values that depend on a name alone. */
const valuesOf = (name: string, size: number) =>
  Float32Array.from(
    randomValues(size, [...name].reduce((sum, c) => (31 * sum + c.charCodeAt(0)) % 65521, 7), 0.2),
  );

Deno.test("Lora adapts weights as a merged network has them, and learns by their gradients alone", async () => {
  const adapted = await stepped(LORA, valuesOf);
  const plain = await stepped([], (name, size) => {
    const lora = adapted.loras.get(name.replace(/\.weight$/, ""));
    const own = valuesOf(name, size);
    if (!lora) return own;
    const part = (which: "down" | "up") =>
      valuesOf(name.replace(/weight$/, `lora.${which}`), sizeOf(lora[which].shape));
    return lora.merged(own, part("down"), part("up"));
  });
  assertAllClose([adapted.loss], [plain.loss], { rtol: 1e-5, atol: 0 });
  for (const [layer, [rows, columns]] of Object.entries(LAYERS)) {
    const whole = plain.grads.get(`${layer}.weight`)!;
    const down = valuesOf(`${layer}.lora.down`, rows * 3);
    const up = valuesOf(`${layer}.lora.up`, 3 * columns);
    // W' = W + 2 A B.
    const gradDown = Float64Array.from({ length: rows * 3 }, (_, i) => {
      const row = Math.floor(i / 3), r = i % 3;
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += whole[row * columns + c]! * up[r * columns + c]!;
      return 2 * sum;
    });
    const gradUp = Float64Array.from({ length: 3 * columns }, (_, i) => {
      const r = Math.floor(i / columns), c = i % columns;
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += whole[row * columns + c]! * down[row * 3 + r]!;
      return 2 * sum;
    });
    for (const [which, expected] of [["down", gradDown], ["up", gradUp]] as const) {
      const name = `${layer}.lora.${which}`;
      const most = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      assert(most > 0, name);
      assertAllClose(adapted.grads.get(name)!, expected, { rtol: 0, atol: 1e-4 * most, name });
    }
    assert(adapted.grads.get(`${layer}.weight`)!.every((value) => value === 0));
  }
  // What is made of a weight outlives the block that asks for it first.
  const again = await stepped([...LORA, "train.recompute=blocks"], valuesOf);
  assertEquals(again.grads, adapted.grads);
});

Deno.test("a run with additions begins with another's weights and leaves them; convert merges them", () =>
  inFolder(async (folder) => {
    const [base, tuned] = [join(folder, "base"), join(folder, "tuned")];
    await trainInFolder(await smokeConfig("train.steps=2", ...OPTIONS), base);
    const origin = (await newestCheckpoint(join(base, "checkpoints"), () => {}))!;
    const config = await smokeConfig("train.steps=2", "optim.lr=0.01", ...OPTIONS, ...LORA);
    const { lines } = await trainInFolder(config, tuned, {
      origin: { checkpoint: origin, weights: "raw" },
    });
    assert(lines.some((line) => /parameters, [\d,]+ of them learned/.test(line)), lines.join("\n"));
    const path = join(tuned, "checkpoints", "step-000002.safetensors");
    const ended = await Checkpoint.open(path);
    const plain = networkOf(await smokeConfig()), merged = fromCheckpoint(ended);
    assertEquals(
      Array.from(namedParameters(merged.network), ([name]) => name),
      Array.from(namedParameters(plain), ([name]) => name),
    );
    assertEquals(merged.config.model.lora.rank, 0);
    for (const [name, { shape }] of namedParameters(plain)) {
      const [before, after] = await Promise.all(
        [origin, ended].map((it) => it.read(`model/${name}`, shape)),
      );
      assertEquals(after, before, name);
    }
    const [rows, columns] = LAYERS.head;
    const [own, down, up] = await Promise.all([
      ended.read("model/head.weight", [3, 3, 1, 8]),
      ended.read("model/head.lora.down", [rows, 3]),
      ended.read("model/head.lora.up", [3, columns]),
    ]);
    assert(up.some((value) => value !== 0));
    const expected = own.map((value, i) => {
      const row = Math.floor(i / columns), c = i % columns;
      return value +
        2 * [0, 1, 2].reduce((sum, r) => sum + down[row * 3 + r]! * up[r * columns + c]!, 0);
    });
    assertAllClose(await merged.weights("head.weight"), expected, { rtol: 1e-6, atol: 1e-8 });
    assertEquals(await merged.weights("head.bias"), await ended.read("model/head.bias", [8]));
    // Its own weights are no whole network's.
    const other = trainInFolder(await smokeConfig(...OPTIONS), join(folder, "other"), {
      origin: { checkpoint: ended, weights: "raw" },
    });
    await assertRejects(() => other, Error, "lora.down must not be there");
  }));

class Pair extends Module {
  readonly down = [new Conv2d(4, 2, { kernel: 3 }), new Conv2d(2, 8, { kernel: 1 })];
  readonly end = new Linear(8, 8);
}

Deno.test("addLora() adapts the layers that patterns mean, and refuses those that mean none", () => {
  const pair = new Pair();
  addLora(pair, { rank: 4, alpha: null, layers: "down.*, end" });
  assertEquals(
    Array.from(namedLoras(pair), ([name, { down, up }]) => [name, down.shape, up.shape]),
    [
      ["down.0", [36, 2], [2, 2]],
      ["down.1", [2, 2], [2, 8]],
      ["end", [8, 4], [4, 8]],
    ],
  );
  const learned = Array.from(namedParameters(pair)).filter(([, it]) => it.learned);
  assert(learned.length === 6 && learned.every(([name]) => name.includes(".lora.")));
  const layers = ["up.*"];
  assertThrows(
    () => addLora(new Pair(), { rank: 1, alpha: null, layers }),
    RangeError,
    'Cannot adapt "up.*": model.lora.layers must name linear layers or convolutions of the ' +
      "network, such as down.0, down.1, end",
  );
});
