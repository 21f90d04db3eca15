import { namedParameters } from "../../../../model/module.ts";
import { fromPytorch, toPytorch } from "../../../../model/names/pytorch.ts";
import { fromDiffusersConfig } from "../../../../model/networks/diffusers/config.ts";
import { currentName, diffusersNames } from "../../../../model/networks/diffusers/names.ts";
import { DiffusersUNet } from "../../../../model/networks/diffusers/unet.ts";
import { assert, assertEquals } from "../../../support/assert.ts";

const GOLDEN = new URL("../../../golden/diffusers/", import.meta.url);
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

for (const name of ["cifar10", "fourier", "scale-shift-class"]) {
  Deno.test(`diffusersNames() lists the state_dict of the recorded ${name} once, both ways`, async () => {
    const { config } = JSON.parse(await Deno.readTextFile(new URL(`${name}.json`, GOLDEN)));
    const bytes = await Deno.readFile(new URL(`${name}.safetensors`, GOLDEN));
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    const { options, shape } = fromDiffusersConfig(config, 1000, () => {})!;
    const network = new DiffusersUNet(options, shape);
    const entries = diffusersNames(network);
    const theirs = Object.keys(header).filter((key) => key.startsWith("param/"));
    assertEquals(
      entries.map((e) => `${e.pytorchName} ${e.pytorchShape}`).sort(),
      theirs.map((key) => `${key.slice("param/".length)} ${header[key].shape}`).sort(),
    );
    const own = Array.from(namedParameters(network), ([path]) => path);
    assertEquals(entries.map((e) => e.name), own);
    for (const e of entries) {
      const data = Float32Array.from({ length: size(e.shape) }, (_, i) => i);
      const tensor = { shape: e.pytorchShape, data };
      assertEquals(toPytorch(e, fromPytorch(e, tensor)), tensor, e.pytorchName);
    }
  });
}

Deno.test("currentName() translates attention's old names and leaves others alone", () => {
  assertEquals(
    currentName("mid_block.attentions.0.query.weight"),
    "mid_block.attentions.0.to_q.weight",
  );
  assertEquals(
    currentName("up_blocks.2.attentions.1.proj_attn.bias"),
    "up_blocks.2.attentions.1.to_out.0.bias",
  );
  assertEquals(currentName("a.query.weight"), "a.query.weight");
  assert(currentName("mid_block.attentions.0.group_norm.bias").endsWith("group_norm.bias"));
});
