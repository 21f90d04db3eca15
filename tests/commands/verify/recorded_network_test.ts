import { verifyFolder } from "../../../commands/verify/folder.ts";
import { readSafetensors } from "../../../formats/safetensors.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { testGpu } from "../../support/gpu.ts";

const CUT = new URL("../../golden/guided/class-conditional", import.meta.url).pathname;

/** What the cut of a recording holds. */
interface Cut {
  readonly config: Readonly<Record<string, unknown>>;
  readonly out: readonly [error: number, size: number];
  readonly grads: Readonly<Record<string, readonly [error: number, size: number]>>;
  readonly zero: readonly string[];
}

const told = ([e, s]: readonly [number, number]) => ({
  max_abs_f32_vs_f64: e,
  scale_absmax_f64: s,
});

/** What became of the recorded network, with its manifest and the bytes of a tensor changed. */
async function outcomes(
  change: (manifest: Record<string, unknown>) => void = () => {},
  tensor?: string,
): Promise<[name: string, outcome: string][]> {
  const bytes = await Deno.readFile(`${CUT}.safetensors`);
  const cut: Cut = JSON.parse(await Deno.readTextFile(`${CUT}.json`));
  const { tensors } = readSafetensors(bytes);
  if (tensor !== undefined) (tensors.get(tensor)!.data as Float32Array)[0]! += 0.01;
  const manifest: Record<string, unknown> = {
    ...{ file: "network.safetensors", family: "guided", case: "one", config: cut.config },
    state_dict: [...tensors].filter(([name]) => name.startsWith("param/"))
      .map(([name, { shape }]) => [name.slice(6), shape]),
    results: {
      out: told(cut.out),
      grads: Object.fromEntries(Object.entries(cut.grads).map(([name, of]) => [name, told(of)])),
      zero_gradient_params: cut.zero,
    },
  };
  change(manifest);
  const found: [string, string][] = [];
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/network.safetensors`, bytes);
    await Deno.writeTextFile(`${folder}/network.manifest.json`, JSON.stringify(manifest));
    for await (const result of verifyFolder(await testGpu(), folder)) {
      const outcome = "unsupported" in result
        ? `unsupported: ${result.reason}`
        : result.ok
        ? "ok"
        : `FAIL ${result.tensor}`;
      found.push([result.case, outcome]);
    }
  });
  return found;
}

const MAIN = { name: "", prefix: "", mode: "eval", grad: true };

Deno.test("verifyFolder() replays a network by its manifest, output and gradients", async () => {
  assertEquals(await outcomes(), [["one", "ok"], ["one.gradients", "ok"]]);
});

Deno.test("verifyFolder() fails a network whose recorded output or gradient is off", async () => {
  assertEquals(await outcomes(() => {}, "out"), [["one", "FAIL out"], ["one.gradients", "ok"]]);
  const gradient = "grad/time_embed.0.bias";
  assertEquals(await outcomes(() => {}, gradient), [
    ["one", "ok"],
    ["one.gradients", `FAIL ${gradient}`],
  ]);
});

Deno.test("verifyFolder() says what it does not know of a network, and replays the rest", async () => {
  const swap = { name: "swap", prefix: "swap.", mode: "eval", grad: false };
  assertEquals(await outcomes((manifest) => manifest.passes = [swap, MAIN]), [
    ["one.swap", "unsupported: pass swap is not known"],
    ["one", "ok"],
    ["one.gradients", "ok"],
  ]);
  const unknown = await outcomes((manifest) => manifest.family = "unheard-of");
  assertEquals(unknown, [["all", "unsupported: the family is not known"]]);
  const [[, more]] = await outcomes((manifest) => {
    manifest.results = { ...manifest.results as object, hidden: told([1, 1]) };
  }) as [[string, string]];
  assertEquals(more, "unsupported: hidden cannot be given");
});

Deno.test("verifyFolder() fails a network whose manifest is damaged", () =>
  inFolder(async (folder) => {
    await Deno.copyFile(`${CUT}.safetensors`, `${folder}/network.safetensors`);
    await Deno.writeTextFile(`${folder}/network.manifest.json`, '{ "family": NaN }');
    const [result, ...others] = await Array.fromAsync(verifyFolder(await testGpu(), folder));
    assert(result && "ok" in result && !result.ok && others.length === 0);
    assertEquals([result.case, result.family], ["all", "network"]);
    assert(result.reason!.includes("network.manifest.json must be JSON"), result.reason);
  }));

Deno.test("verifyFolder() tells a pass by its arguments, whatever its name", () =>
  inFolder(async (folder) => {
    const from = new URL("../../golden/networks/edm-ddpmpp", import.meta.url).pathname;
    await Deno.copyFile(`${from}.safetensors`, `${folder}/network.safetensors`);
    const manifest = JSON.parse(await Deno.readTextFile(`${from}.manifest.json`));
    const again = { prefix: "", mode: "eval", grad: false };
    manifest.passes = [
      { ...again, name: "again", args: { precond: "EDMPrecond", sigma_data: 0.5 } },
      { ...again, name: "other", args: { precond: "EDMPrecond", sigma_data: 0.6 } },
    ];
    const { out } = manifest.results;
    manifest.results = { again: { out }, other: { out } };
    await Deno.writeTextFile(`${folder}/network.manifest.json`, JSON.stringify(manifest));
    const results = await Array.fromAsync(verifyFolder(await testGpu(), folder));
    assertEquals(results.map((result) => "ok" in result && result.ok), [true, false]);
  }));

Deno.test("verifyFolder() finds recorded activations among our layers, and fails one that is off", () =>
  inFolder(async (folder) => {
    const from = new URL("../../golden/networks/lucid-unet1d", import.meta.url).pathname;
    const bytes = await Deno.readFile(`${from}.safetensors`);
    (readSafetensors(bytes).tensors.get("act/mid_attn")!.data as Float32Array)[5]! += 0.01;
    await Deno.writeFile(`${folder}/network.safetensors`, bytes);
    const manifest = JSON.parse(await Deno.readTextFile(`${from}.manifest.json`));
    manifest.passes[0].grad = false;
    // A module that has no parameters has no counterpart that could be found.
    manifest.results.activations.relu = manifest.results.activations.mid_attn;
    await Deno.writeTextFile(`${folder}/network.manifest.json`, JSON.stringify(manifest));
    const results = await Array.fromAsync(verifyFolder(await testGpu(), folder));
    const [output, activations] = results.map((result) => {
      assert("ok" in result);
      return [result.ok, result.tensor, result.apart];
    });
    assertEquals(output, [true, "out", undefined]);
    assertEquals(activations, [false, "act/mid_attn", ["relu"]]);
  }));
