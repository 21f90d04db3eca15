import { convert } from "../../../../commands/convert/main.ts";
import { readSource } from "../../../../commands/shared/checkpoints/source.ts";
import { namedParameters } from "../../../../model/module.ts";
import { toPytorch } from "../../../../model/names/pytorch.ts";
import { fromEdmArguments } from "../../../../model/networks/edm/arguments.ts";
import { edmNames } from "../../../../model/networks/edm/names.ts";
import { EdmUNet } from "../../../../model/networks/edm/unet.ts";
import { Checkpoint } from "../../../../training/checkpoint.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { moduleOf, opcodes, type Pickled, pickleFile } from "../../../support/edm_snapshot.ts";
import { inFolder } from "../../../support/folder.ts";
import { randomValues } from "../../../support/gpu.ts";
import { op } from "../../../support/torch_file.ts";

const ARGS = {
  ...{ img_resolution: 8, img_channels: 3, label_dim: 10, model_type: "SongUNet" },
  ...{ model_channels: 8, channel_mult: [1, 2], num_blocks: 1, attn_resolutions: [4] },
  ...{ augment_dim: 9, dropout: 0.13, use_fp16: false, sigma_data: 0.5 },
};

/** A network's values by our names, and a snapshot of them. */
function snapshot(precond: string) {
  const { options, shape } = fromEdmArguments(precond, ARGS);
  const network = new EdmUNet(options, shape);
  const ours = new Map(Array.from(namedParameters(network), ([name, { shape }], i) => {
    const count = shape.reduce((product, n) => product * n, 1);
    return [name, { shape, values: randomValues(count, i + 1) }] as const;
  }));
  const tensors = new Map<string, Pickled>();
  for (const entry of edmNames(network)) {
    const { pytorchName, pytorchShape } = entry;
    tensors.set(
      pytorchName,
      entry.kind === "parameter"
        ? toPytorch(entry, ours.get(entry.name)!.values)
        : { shape: pytorchShape, data: pytorchShape.map(() => 0.25).slice(0, 4) },
    );
  }
  const ema = moduleOf(precond, tensors, new Map(Object.entries(ARGS)));
  const value = new Map<string, Pickled>([["ema", ema], ["dataset_kwargs", new Map()]]);
  return { ours, bytes: pickleFile(value) };
}

const quiet = async (path: string, out: string) => {
  const log = console.log;
  const lines: string[] = [];
  console.log = (line: string) => void lines.push(line);
  try {
    await convert({ options: {} as never, arguments: [path, out], overrides: [] });
  } finally {
    console.log = log;
  }
  return lines;
};

Deno.test("importEdm() takes a snapshot over: weights, network and process, by its class's name and arguments", () =>
  inFolder(async (folder) => {
    const processes = { EDMPrecond: "edm", VEPrecond: "minus-epsilon" };
    for (const [precond, target] of Object.entries(processes)) {
      const { ours, bytes } = snapshot(precond);
      await Deno.writeFile(`${folder}/${precond}.pkl`, bytes);
      const out = `${folder}/${precond}.safetensors`;
      const lines = await quiet(`${folder}/${precond}.pkl`, out);
      assert(lines.some((line) => line.includes(`NVlabs/edm: averaged weights of a ${precond}`)));
      const checkpoint = await Checkpoint.open(out);
      const config = JSON.parse(checkpoint.config);
      assertEquals([config.model.name, config.model.dropout], ["edm", 0.13]);
      assertEquals(config.diffusion.target, target);
      for (const [name, { shape, values }] of ours) {
        assertEquals(await checkpoint.read(`ema/${name}`, shape), values, name);
      }
    }
  }));

Deno.test("readSource() runs nothing of a pickle, and refuses one that would run code", () =>
  inFolder(async (folder) => {
    const path = `${folder}/net.pkl`;
    await Deno.writeFile(path, snapshot("EDMPrecond").bytes);
    const { tensors, marks } = await readSource(path);
    assert(tensors.has("ema.model.enc.8x8_conv.weight"));
    assertEquals(marks.get("ema"), "EDMPrecond");
    const call = [
      ...op.global("os", "system"),
      ...op.mark,
      ...opcodes("id"),
      ...op.tuple,
      ...op.reduce,
    ];
    await Deno.writeFile(path, pickleFile(new Map([["ema", { raw: call }]])));
    await assertRejects(() => readSource(path), Error, "os.system");
    await Deno.writeFile(path, snapshot("EDMPrecond").bytes.subarray(0, 500));
    await assertRejects(() => readSource(path), Error, "Cannot convert");
  }));
