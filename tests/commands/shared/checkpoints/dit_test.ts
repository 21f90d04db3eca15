import { recognise } from "../../../../commands/shared/checkpoints/code_bases.ts";
import { exportDit, importDit } from "../../../../commands/shared/checkpoints/dit.ts";
import { type Source, sourceOf } from "../../../../commands/shared/checkpoints/source.ts";
import { DiT } from "../../../../model/networks/dit/dit.ts";
import { ditNames } from "../../../../model/networks/dit/names.ts";
import type { DiTOptions } from "../../../../model/networks/dit/options.ts";
import { positionTable } from "../../../../model/networks/dit/positions.ts";
import { toPytorch } from "../../../../model/names/pytorch.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { randomValues } from "../../../support/gpu.ts";
import { savedF32, type SavedTensor, torchZip } from "../../../support/torch_file.ts";

const OPTIONS: DiTOptions = {
  ...{ name: "dit", patchSize: 2, channels: 12, depth: 2, heads: 3, mlpRatio: 1.5 },
  ...{ learnSigma: true, classes: 4, labelDropout: 0.1 },
};
const HEADS = [["model.heads", "3"]] as const;

/** A state_dict with values that depend on the seed. */
function stateDict(seed: number, channels = 1): Map<string, SavedTensor> {
  const network = new DiT(OPTIONS, { height: 8, width: 8, channels, timesteps: 1000 });
  return new Map(
    ditNames(network, network.shape).map((entry, i) => {
      if (entry.kind === "constant") {
        return [entry.pytorchName, savedF32(entry.pytorchShape, positionTable(4, 4, 12))] as const;
      }
      const count = entry.shape.reduce((product, n) => product * n, 1);
      const { shape, data } = toPytorch(entry, randomValues(count, 100 * seed + i));
      return [entry.pytorchName, savedF32(shape, data)] as const;
    }),
  );
}

/** The file that their train.py writes. */
function trained(channels = 1): Source {
  const opt = new Map([["state", new Map([[0, new Map([["step", savedF32([], [3])]])]])]]);
  const file = torchZip(
    new Map<string, Parameters<typeof torchZip>[0]>([
      ["model", stateDict(1, channels)],
      ["ema", stateDict(2, channels)],
      ["opt", opt],
    ]),
  );
  return sourceOf("0000003.pt", file);
}

Deno.test("importDit() takes weights and averages over, and exportDit() gives the same bytes back", async () => {
  const source = trained(), lines: string[] = [];
  assertEquals(recognise(source), { known: "dit", title: "facebookresearch/DiT" });
  const model = importDit(source, { overrides: HEADS, say: (line) => lines.push(line) });
  assertEquals(model.config.model, {
    ...OPTIONS,
    latent: model.config.model.latent,
    lora: model.config.model.lora,
  });
  assertEquals([model.config.data.name, model.config.data.size], ["mnist", 8]);
  assert(lines.join().includes("left out: opt"), lines.join());
  const { tensors, metadata } = exportDit(model, "all");
  assertEquals(tensors.length, 2 * (source.tensors.size - 1) / 2);
  for (const [name, tensor] of tensors) {
    const { shape, data } = await tensor.read();
    const before = source.tensors.get(name)!.read();
    assertEquals([shape, data], [before.shape, before.data], name);
  }
  // What is written tells the heads.
  const ema = exportDit(model, "ema").tensors;
  const again = importDit({
    ...source,
    tensors: new Map(
      await Promise.all(ema.map(async ([name, tensor]) => {
        const stored = await tensor.read();
        return [name, { ...stored, read: () => stored }] as const;
      })),
    ),
    facts: new Map(Object.entries(metadata).map(([key, text]) => [key, Number(text)])),
  }, { overrides: [] });
  assertEquals(again.config.model, model.config.model);
  const name = "blocks.1.hidden.weight";
  assertEquals(await again.weights(name), await model.ema(name));
});

Deno.test("importDit() refuses networks of latents, heads that nothing tells, and other positions", () => {
  const source = trained();
  assertThrows(
    () => importDit(trained(4), { overrides: HEADS }),
    RangeError,
    "it works on latents of 4",
  );
  assertThrows(
    () => importDit(source, { overrides: [] }),
    UsageError,
    "give the number that it was trained with by --model.heads=N",
  );
  const moved = new Map(source.tensors);
  const positions = source.tensors.get("model.pos_embed")!;
  moved.set("model.pos_embed", {
    ...{ dtype: positions.dtype, shape: positions.shape },
    read: () => ({ ...positions.read(), data: new Float32Array(16 * 12).fill(2) }),
  });
  assertThrows(
    () => importDit({ ...source, tensors: moved }, { overrides: HEADS }),
    RangeError,
    "pos_embed must hold sinusoids",
  );
});
