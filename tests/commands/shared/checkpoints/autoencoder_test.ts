import { join } from "node:path";
import {
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from "../../../../formats/safetensors.ts";
import { AutoencoderKL } from "../../../../model/autoencoder/autoencoder.ts";
import { fromAutoencoderConfig } from "../../../../model/autoencoder/config.ts";
import { initialValues } from "../../../../model/parameters.ts";
import { UsageError } from "../../../../support/errors.ts";
import { readAutoencoder, writeAutoencoder } from "../../../../training/autoencoder_file.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { convertTo } from "../../../support/convert.ts";
import { inFolder } from "../../../support/folder.ts";
import { savedF32, torchZip } from "../../../support/torch_file.ts";

const WEIGHTS = "diffusion_pytorch_model", WHOLE = `${WEIGHTS}.safetensors`;

/** Writes a small autoencoder whose weights are exact in 16 bits, those of a power of two and 0. */
async function someAutoencoder(folder: string) {
  const options = fromAutoencoderConfig({
    ...{ _class_name: "AutoencoderKL", block_out_channels: [4, 8], norm_num_groups: 2 },
    ...{ in_channels: 1, out_channels: 1, latent_channels: 2 },
    down_block_types: new Array(2).fill("DownEncoderBlock2D"),
    up_block_types: new Array(2).fill("UpDecoderBlock2D"),
  }, (key) => assert(false, key))!;
  const network = new AutoencoderKL(options);
  const round = (v: number) =>
    Math.sign(v) * 2 ** Math.max(-12, Math.round(Math.log2(Math.abs(v))));
  const weights = new Map(
    Array.from(
      initialValues(network, 1),
      ([name, values]) => [name, values.map((v) => v && round(v))],
    ),
  );
  await writeAutoencoder(folder, { network, weights }, [8, 12]);
}

/** The upper halves of floats, which are brain floats. */
const brain = ({ shape, data }: StoredTensor): StoredTensor => ({
  ...{ dtype: "BF16", shape },
  data: Uint16Array.from(new Uint32Array((data as Float32Array).slice().buffer), (w) => w >>> 16),
});

/** The same as IEEE halves, of a power of two or 0. */
const half = ({ shape, data }: StoredTensor): StoredTensor => ({
  ...{ dtype: "F16", shape },
  data: Uint16Array.from(
    new Uint32Array((data as Float32Array).slice().buffer),
    (w) => w << 1 === 0 ? w >>> 16 : (w >>> 16 & 0x8000) | ((w >>> 23 & 255) - 112) << 10,
  ),
});

type Tensors = [string, StoredTensor][];

const VARIANTS: Readonly<Record<string, (folder: string, tensors: Tensors) => Promise<void>>> = {
  ".bin": (folder, tensors) => {
    const saved = tensors.map(([name, { shape, data }]) =>
      [name, savedF32(shape, data as Float32Array)] as const
    );
    return Deno.writeFile(join(folder, `${WEIGHTS}.bin`), torchZip(new Map(saved)));
  },
  "fp16": (folder, tensors) =>
    Deno.writeFile(
      join(folder, `${WEIGHTS}.fp16.safetensors`),
      writeSafetensors(tensors.map(([name, tensor]) => [name, half(tensor)])),
    ),
  "bf16": (folder, tensors) =>
    Deno.writeFile(
      join(folder, `${WEIGHTS}.bf16.safetensors`),
      writeSafetensors(tensors.map(([name, tensor]) => [name, brain(tensor)])),
    ),
  "shards": async (folder, tensors) => {
    const names = [1, 2].map((i) => `${WEIGHTS}-0000${i}-of-00002.safetensors`);
    for (const [i, name] of names.entries()) {
      const part = tensors.filter((_, k) => k % 2 === i);
      await Deno.writeFile(join(folder, name), writeSafetensors(part));
    }
    const map = Object.fromEntries(tensors.map(([name], k) => [name, names[k % 2]]));
    await Deno.writeTextFile(
      join(folder, `${WEIGHTS}.safetensors.index.json`),
      JSON.stringify({ weight_map: map }),
    );
  },
};

Deno.test("convert makes an AutoencoderKL in any layout what a run takes, and one of ours comes back the same bytes", () =>
  inFolder(async (folder) => {
    const vae = join(folder, "vae");
    await someAutoencoder(vae);
    const { weights } = await readAutoencoder(vae);
    const bytes = await Deno.readFile(join(vae, WHOLE));
    const tensors = [...readSafetensors(bytes).tensors];
    const same = async (out: string) => {
      for (const name of [WHOLE, "config.json"]) {
        assertEquals(await Deno.readFile(join(out, name)), await Deno.readFile(join(vae, name)));
      }
    };
    for (const from of [vae, join(vae, WHOLE), join(vae, "config.json")]) {
      await convertTo(from, join(folder, "plain"));
      await same(join(folder, "plain"));
    }
    for (const [name, write] of Object.entries(VARIANTS)) {
      const other = join(folder, name), out = join(folder, `${name} out`);
      await Deno.mkdir(other);
      await Deno.copyFile(join(vae, "config.json"), join(other, "config.json"));
      await write(other, tensors);
      await assertRejects(() => readAutoencoder(other), UsageError, "deno task convert makes it");
      await convertTo(other, out);
      assertEquals((await readAutoencoder(out)).weights, weights, name);
      await same(out);
    }
  }));

Deno.test("convert refuses other formats and files of an autoencoder, and weights without their config", () =>
  inFolder(async (folder) => {
    const vae = join(folder, "vae"), out = join(folder, "out");
    await someAutoencoder(vae);
    await assertRejects(
      () => convertTo(vae, out, { to: "pytorch" }),
      UsageError,
      "Cannot use --to pytorch with an autoencoder",
    );
    await assertRejects(
      () => convertTo(vae, `${out}.safetensors`),
      UsageError,
      "OUT must not end in",
    );
    await Deno.rename(join(vae, WHOLE), join(folder, "alone.safetensors"));
    const { message } = await assertRejects(
      () => convertTo(join(folder, "alone.safetensors"), out),
      UsageError,
    );
    assert(message.includes("a diffusers AutoencoderKL must lie beside its config.json"), message);
  }));
