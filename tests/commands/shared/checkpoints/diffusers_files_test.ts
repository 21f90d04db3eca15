import { UNet } from "../../../../model/networks/ho2020/unet.ts";
import { join } from "node:path";
import {
  readDiffusers,
  writeDiffusers,
} from "../../../../commands/shared/checkpoints/diffusers.ts";
import {
  findDiffusers,
  readWeights,
  shardOf,
} from "../../../../commands/shared/checkpoints/diffusers_files.ts";
import { NO_FLAGS } from "../../../../commands/shared/checkpoints/flagfile.ts";
import { importPytorchDdpm } from "../../../../commands/shared/checkpoints/pytorch_ddpm.ts";
import { sourceOf } from "../../../../commands/shared/checkpoints/source.ts";
import {
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from "../../../../formats/safetensors.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { TINY_OVERRIDES, tinyFile } from "../../../support/pytorch_checkpoint.ts";
import { savedF32, torchZip } from "../../../support/torch_file.ts";

const WEIGHTS = "diffusion_pytorch_model";
const OVERRIDES = TINY_OVERRIDES.filter(([key]) => key !== "model.groups");

type Tensors = [string, StoredTensor][];

/** Writes a pipeline, hands it to `rearrange`, and gives the weights that `path` then leads to. */
async function weightsOf(
  folder: string,
  path: string,
  rearrange: (at: (name: string) => string, tensors: Tensors) => Promise<void>,
  say: string[] = [],
) {
  const pipe = join(folder, "pipe");
  await Deno.remove(pipe, { recursive: true }).catch(() => {});
  const model = importPytorchDdpm(sourceOf("x.pt", tinyFile()), {
    flags: NO_FLAGS,
    overrides: [...TINY_OVERRIDES],
  });
  await writeDiffusers(pipe, model, "ema");
  const at = (name: string) => join(pipe, name);
  const whole = at(`unet/${WEIGHTS}.safetensors`);
  await rearrange(at, [...readSafetensors(await Deno.readFile(whole)).tensors]);
  const files = await findDiffusers(at(path));
  assert(files, "no model was found");
  const options = { overrides: OVERRIDES, say: (line: string) => void say.push(line) };
  const { weights, ema, network, config } = await readDiffusers(files, options);
  const names = network instanceof UNet
    ? ["head.weight", "middle.0.attention.query.weight", "tail.conv.bias"]
    : ["convIn.weight", "midBlock.attentions.0.toQ.weight", "convOut.bias"];
  const read = async (from: typeof weights) => await Promise.all(names.map(from));
  return { weights: await read(weights), ema: await read(ema), network, config, files };
}

const moved = async (at: (name: string) => string, from: string, to: string) =>
  await Deno.rename(at(from), at(to));

const flatten = async (at: (name: string) => string) => {
  await moved(at, `unet/${WEIGHTS}.safetensors`, `${WEIGHTS}.safetensors`);
  await moved(at, "unet/config.json", "config.json");
  await moved(at, "scheduler/scheduler_config.json", "scheduler_config.json");
  await Deno.remove(at("unet"));
  await Deno.remove(at("scheduler"));
};

/** Cuts the weights into shards with an index, whose variant is before or after its ending. */
const cut = async (
  at: (name: string) => string,
  tensors: Tensors,
  variant: "" | "fp16",
  endings = ["", ""],
) => {
  const names = [1, 2, 3].map((i) => `${WEIGHTS}${endings[0]}-0000${i}-of-00003.safetensors`);
  const map = tensors.map(([name], i) => [name, names[i % 3]!] as const);
  for (const [i, name] of names.entries()) {
    const part = tensors.filter((_, k) => k % 3 === i);
    await Deno.writeFile(at(`unet/${name}`), writeSafetensors(part));
  }
  const index = { metadata: { total_size: 1 }, weight_map: Object.fromEntries(map) };
  const name = variant === "" || endings[0] !== ""
    ? `${WEIGHTS}${endings[0]}.safetensors.index.json`
    : `${WEIGHTS}.safetensors.index.${variant}.json`;
  await Deno.writeTextFile(at(`unet/${name}`), JSON.stringify(index));
  await Deno.remove(at(`unet/${WEIGHTS}.safetensors`));
};

Deno.test("findDiffusers() finds a model in every layout, from its folders and its files", () =>
  inFolder(async (folder) => {
    const nothing = () => Promise.resolve();
    const plain = await weightsOf(folder, ".", nothing);
    const same = async (
      path: string,
      rearrange: Parameters<typeof weightsOf>[2],
      timesteps = 20,
    ) => {
      const found = await weightsOf(folder, path, rearrange);
      assertEquals([found.weights, found.ema], [plain.weights, plain.ema], path);
      assertEquals(found.config.diffusion.timesteps, timesteps, path);
    };
    for (const path of ["unet", `unet/${WEIGHTS}.safetensors`, "model_index.json"]) {
      await same(path, nothing);
    }
    for (const path of [".", "config.json", `${WEIGHTS}.safetensors`]) await same(path, flatten);
    const alone = async (at: (name: string) => string) => {
      await flatten(at);
      await Deno.remove(at("model_index.json"));
      await Deno.remove(at("scheduler_config.json"));
    };
    for (const path of [".", `${WEIGHTS}.safetensors`]) await same(path, alone, 1000);
    await same(".", async (at) => {
      await moved(at, "unet", "net");
      const index = JSON.parse(await Deno.readTextFile(at("model_index.json")));
      const renamed = { ...index, unet: undefined, net: index.unet };
      await Deno.writeTextFile(at("model_index.json"), JSON.stringify(renamed));
    });
  }));

Deno.test("findDiffusers() takes variants, shards of either spelling, and .bin", () =>
  inFolder(async (folder) => {
    const plain = await weightsOf(folder, ".", () => Promise.resolve());
    const whole = `unet/${WEIGHTS}.safetensors`;
    const cases: [string, Parameters<typeof weightsOf>[2]][] = [
      [".", (at) => moved(at, whole, `unet/${WEIGHTS}.fp16.safetensors`)],
      [".", (at) => moved(at, whole, `unet/${WEIGHTS}.non_ema.safetensors`)],
      [".", (at, tensors) => cut(at, tensors, "")],
      ["unet", (at, tensors) => cut(at, tensors, "fp16")],
      ["unet", (at, tensors) => cut(at, tensors, "fp16", [".fp16", ""])],
      [
        `unet/${WEIGHTS}-00002-of-00003.safetensors`,
        (at, tensors) => cut(at, tensors, ""),
      ],
      [`unet/${WEIGHTS}.safetensors.index.json`, (at, tensors) => cut(at, tensors, "")],
      [".", async (at, tensors) => {
        const saved = tensors.map(([name, { shape, data }]) =>
          [name, savedF32(shape, data as Float32Array)] as const
        );
        await Deno.writeFile(at(`unet/${WEIGHTS}.bin`), torchZip(new Map(saved)));
        await Deno.remove(at(whole));
      }],
    ];
    for (const [path, rearrange] of cases) {
      assertEquals((await weightsOf(folder, path, rearrange)).weights, plain.weights, path);
    }
    // What has no variant goes before what has one.
    const { files } = await weightsOf(folder, ".", async (at) => {
      await Deno.writeFile(at(`unet/${WEIGHTS}.bf16.safetensors`), new Uint8Array(9));
    });
    assertEquals(files.weights, join(folder, "pipe", whole));
  }));

Deno.test("readDiffusers() widens 16 bits, and takes averages that lie beside", () =>
  inFolder(async (folder) => {
    const plain = await weightsOf(folder, ".", () => Promise.resolve());
    const words = (tensors: Tensors): Tensors =>
      tensors.map(([name, { shape, data }]) => {
        const bits = new Uint32Array((data as Float32Array).buffer.slice(0));
        const high = Uint16Array.from(bits.subarray(0, data.length), (word) => word >>> 16);
        return [name, { dtype: "BF16", shape, data: high }];
      });
    const half = await weightsOf(folder, ".", async (at, tensors) => {
      const copy = tensors.map(([name, t]) => [name, { ...t, data: t.data.slice() }] as const);
      await Deno.writeFile(
        at(`unet/${WEIGHTS}.safetensors`),
        writeSafetensors(words([...copy] as Tensors)),
      );
    });
    for (const [i, values] of half.weights.entries()) {
      const bits = Uint32Array.from(
        new Uint32Array(plain.weights[i]!.buffer),
        (word) => word >>> 16 << 16,
      );
      assertEquals(values, new Float32Array(bits.buffer));
    }
    const both = await weightsOf(folder, ".", async (at, tensors) => {
      await Deno.mkdir(at("unet_ema"));
      await Deno.copyFile(at("unet/config.json"), at("unet_ema/config.json"));
      const zeros = tensors.map(([name, t]) =>
        [name, { ...t, data: new Float32Array(t.data.length) }] as const
      );
      await Deno.writeFile(at(`unet_ema/${WEIGHTS}.safetensors`), writeSafetensors(zeros));
    });
    assertEquals(both.weights, plain.weights);
    assert(both.ema.every((values) => values.every((value) => value === 0)));
  }));

Deno.test("findDiffusers() and readWeights() name files that are missing or lie", () =>
  inFolder(async (folder) => {
    const rejects = async (part: string, rearrange: Parameters<typeof weightsOf>[2]) => {
      await assertRejects(() => weightsOf(folder, "unet", rearrange), Error, part);
    };
    const index = `unet/${WEIGHTS}.safetensors.index.json`;
    await rejects(
      `all its shards must be beside it, missing ${WEIGHTS}-00002-of-00003.safetensors`,
      async (at, tensors) => {
        await cut(at, tensors, "");
        await Deno.remove(at(`unet/${WEIGHTS}-00002-of-00003.safetensors`));
      },
    );
    for (const file of ["../../secret.safetensors", "/etc/passwd", 3, ""]) {
      await rejects("must name files beside it", async (at, tensors) => {
        await cut(at, tensors, "");
        await Deno.writeTextFile(at(index), JSON.stringify({ weight_map: { a: file } }));
      });
    }
    await rejects("must hold", async (at, tensors) => {
      await cut(at, tensors, "");
      const map = { lost: `${WEIGHTS}-00001-of-00003.safetensors` };
      await Deno.writeTextFile(at(index), JSON.stringify({ weight_map: map }));
    });
    await rejects("must have a weight_map", async (at) => {
      await Deno.writeTextFile(at(`unet/${WEIGHTS}.safetensors.index.json`), "{}");
      await Deno.remove(at(`unet/${WEIGHTS}.safetensors`));
    });
    await rejects("must hold diffusion_pytorch_model.safetensors or .bin", async (at) => {
      await Deno.remove(at(`unet/${WEIGHTS}.safetensors`));
    });
    assertEquals(await findDiffusers(folder), null);
    assertEquals(shardOf("a/model-00002-of-00010.safetensors"), { number: 2, of: 10 });
    assertEquals(shardOf(`${WEIGHTS}.safetensors`), null);
    const part = join(folder, "part.safetensors");
    await Deno.writeFile(part, writeSafetensors([]));
    assertEquals((await readWeights(part)).tensors.size, 0);
  }));

Deno.test("readDiffusers() names all keys that stand in the way at once, and other schedulers", () =>
  inFolder(async (folder) => {
    const edit = async (path: string, changes: Record<string, unknown>) => {
      const config = JSON.parse(await Deno.readTextFile(path));
      await Deno.writeTextFile(path, JSON.stringify({ ...config, ...changes }));
    };
    const { message } = await assertRejects(
      () =>
        weightsOf(folder, ".", async (at) => {
          await edit(at("unet/config.json"), {
            ...{ class_embed_type: "timestep", resnet_time_scale_shift: "ada_group" },
            in_channels: 4,
          });
          await edit(at("scheduler/scheduler_config.json"), {
            prediction_type: "x",
            beta_schedule: "laplace",
          });
        }),
      UsageError,
    );
    for (
      const key of [
        ...["class_embed_type", "resnet_time_scale_shift", "in_channels", "out_channels"],
        ...["prediction_type", "beta_schedule"],
      ]
    ) assert(message.includes(`${key} must`), `${key}: ${message}`);
    assert(!message.includes("\n"));

    const plain = await weightsOf(folder, ".", () => Promise.resolve());
    const values = { downsample_padding: 0, freq_shift: 1, norm_eps: 1e-6, attention_head_dim: 8 };
    const other = await weightsOf(
      folder,
      ".",
      (at) => edit(at("unet/config.json"), values),
    );
    assertEquals(other.weights, plain.weights);
    assertEquals([plain.config.model.name, other.config.model.name], ["ho2020", "diffusers"]);

    const scheduler = (name: string, said: string[] = []) =>
      weightsOf(
        folder,
        ".",
        (at) => edit(at("scheduler/scheduler_config.json"), { _class_name: name }),
        said,
      );
    assertEquals((await scheduler("DDIMScheduler")).config.diffusion.sampler.name, "ddim");
    const said: string[] = [];
    assertEquals((await scheduler("PNDMScheduler", said)).config.diffusion.sampler.name, "ddpm");
    assert(said.some((line) => line.includes("no sampler here is PNDMScheduler")));
    await assertRejects(() => scheduler("ScoreSdeVeScheduler"), UsageError, "_class_name must");
  }));
