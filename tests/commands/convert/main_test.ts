import { join } from "node:path";
import { readSafetensors } from "../../../formats/safetensors.ts";
import { writeNpz } from "../../../formats/npy.ts";
import { Checkpoint } from "../../../training/checkpoint.ts";
import { UsageError } from "../../../support/errors.ts";
import { convert } from "../../../commands/convert/main.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { FOREIGN_OBJECTS } from "../../support/foreign_objects.ts";
import { TINY_OVERRIDES, tinyFile, tinyStateDict } from "../../support/pytorch_checkpoint.ts";
import { type Saved, savedF32, SavedObject, torchZip } from "../../support/torch_file.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const GOLDEN = join(ROOT, "tests/golden/ckpt");
const OVERRIDES = TINY_OVERRIDES.map(([key, value]) => `--${key}=${value}`);

async function run(script: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(ROOT, script), ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

async function good(script: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(script, ...args);
  assertEquals(code, 0, stderr);
  return stdout;
}

type Invoked = Parameters<typeof convert>[0];
const NOTHING: Invoked["options"] = {
  ...{ to: undefined, weights: undefined, flagfile: undefined, prefix: undefined, raw: false },
};

function inProcess(...paths: string[]): Promise<void> {
  return convert({ options: NOTHING, arguments: paths, overrides: [] });
}

const tensorsOf = async (path: string) => readSafetensors(await Deno.readFile(path)).tensors;

Deno.test("convert makes a PyTorch checkpoint one that sample and train --resume take", () =>
  inFolder(async (folder) => {
    const pt = join(folder, "ckpt.pt"), dir = join(folder, "run");
    await Deno.writeFile(pt, tinyFile());
    await Deno.writeTextFile(
      join(folder, "flagfile.txt"),
      "--batch_size=4\n--total_steps=5\n--sample_step=0\n--dropout=0\n",
    );
    const said = await good("commands/convert/main.ts", pt, dir, ...OVERRIDES);
    assertStringIncludes(said, "Taking the flags of");
    assertStringIncludes(said, `deno task train --resume --run.dir=${dir}`);
    const trained = await good("train.ts", "--resume", `--run.dir=${dir}`);
    assertStringIncludes(trained, "going on after 3");
    assertStringIncludes(trained, "Finished 5 steps");
    const last = await Checkpoint.open(join(dir, "checkpoints/step-000005.safetensors"));
    assertEquals(last.step, 5);

    const file = join(folder, "model.safetensors"), picture = join(folder, "grid.png");
    await good("commands/convert/main.ts", pt, file, ...OVERRIDES);
    const sampling = ["--sampler", "ddim", "--steps", "2", "--count", "2", "--batch", "2"];
    await good("sample.ts", "--checkpoint", file, "--out", picture, ...sampling);
    assert((await Deno.stat(picture)).size > 100);
  }));

Deno.test("convert writes a checkpoint back under PyTorch's names, and through diffusers", () =>
  inFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    await Deno.writeFile(at("ckpt.pt"), tinyFile());
    await good(
      "commands/convert/main.ts",
      at("ckpt.pt"),
      at("plain.safetensors"),
      "--to",
      "tensors",
    );
    await good("commands/convert/main.ts", at("ckpt.pt"), at("ours.safetensors"), ...OVERRIDES);
    await good(
      "commands/convert/main.ts",
      at("ours.safetensors"),
      at("back.safetensors"),
      "--to",
      "pytorch",
    );
    const plain = await tensorsOf(at("plain.safetensors"));
    const back = await tensorsOf(at("back.safetensors"));
    assertEquals([...back.keys()].sort(), [...plain.keys()].sort());
    for (const [name, tensor] of plain) assertEquals(back.get(name), tensor, name);

    await good(
      "commands/convert/main.ts",
      at("back.safetensors"),
      at("pipe"),
      "--to",
      "diffusers",
      ...OVERRIDES,
    );
    const index = JSON.parse(await Deno.readTextFile(at("pipe/model_index.json")));
    assertEquals(index.unet, ["diffusers", "UNet2DModel"]);
    assertEquals(index.scheduler, ["diffusers", "DDPMScheduler"]);
    await good(
      "commands/convert/main.ts",
      at("pipe"),
      at("again.safetensors"),
      "--data.name=synthetic",
    );
    const ours = await tensorsOf(at("ours.safetensors")),
      again = await tensorsOf(at("again.safetensors"));
    const averages = [...ours.keys()].filter((name) => name.startsWith("ema/"));
    assertEquals(averages.length, 144);
    for (const name of averages) assertEquals(again.get(name), ours.get(name), name);
  }));

Deno.test("convert says what it wrote: tensors of a run, of a file or a pipeline, or a checkpoint", () =>
  inFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    const wrote = async (...args: string[]) =>
      (await good("commands/convert/main.ts", ...args)).trim();
    await Deno.writeFile(at("ckpt.pt"), tinyFile());
    const path = at("run/checkpoints/step-000003.safetensors");
    assertStringIncludes(
      await wrote(at("ckpt.pt"), at("run"), ...OVERRIDES),
      `Wrote a run with a checkpoint, step 3, to ${path}\n`,
    );
    assertStringIncludes(
      await wrote(at("run"), at("ours.safetensors")),
      `Wrote a checkpoint of ours, step 3, to ${at("ours.safetensors")}\n`,
    );
    const { tensors } = await Checkpoint.open(path);
    const out = at("out.safetensors");
    for (const from of [at("run"), path]) {
      const said = await wrote(from, out, "--to", "tensors");
      assertEquals(said, `Wrote ${tensors.size} tensors under their own names to ${out}`);
      assertEquals([...(await tensorsOf(out)).keys()], [...tensors.keys()]);
      await Deno.remove(out);
    }
    // What a damaged one still holds can be looked at.
    const torn = await Deno.readFile(path);
    torn[torn.length - 40]! ^= 1;
    await Deno.writeFile(at("torn.safetensors"), torn);
    await wrote(at("torn.safetensors"), out, "--to", "tensors");
    assertEquals([...(await tensorsOf(out)).keys()], [...tensors.keys()]);
    await Deno.remove(out);
    await good("commands/convert/main.ts", at("run"), at("pipe"), "--to", "diffusers");
    const weights = await tensorsOf(at("pipe/unet/diffusion_pytorch_model.safetensors"));
    await wrote(at("pipe"), out, "--to", "tensors");
    assertEquals(await tensorsOf(out), weights);
  }));

Deno.test("convert turns any PyTorch or NumPy file into safetensors under its own names by --raw", () =>
  inFolder(async (folder) => {
    const out = join(folder, "out.safetensors");
    const raw = (path: string) =>
      convert({ options: { ...NOTHING, raw: true }, arguments: [path, out], overrides: [] });
    for (const file of ["dtypes.pt", "dtypes_legacy.pt"]) {
      await raw(join(GOLDEN, file));
      const { tensors, metadata } = readSafetensors(await Deno.readFile(out));
      assertEquals(tensors.size, 16);
      assertEquals([...tensors.get("transposed")!.data], [0, 3, 1, 4, 2, 5]);
      assertEquals(tensors.get("bf16")!.dtype, "BF16");
      assertEquals(metadata.big_int, '"1180591620717411303424"');
      assertEquals(metadata["nested.5"], "[3,4]");
    }
    const npz = join(folder, "stats.npz");
    const mu = { dtype: "F64", shape: [2], data: Float64Array.of(1, 2) } as const;
    await Deno.writeFile(npz, writeNpz([["mu", mu]]));
    await raw(npz);
    assertEquals((await tensorsOf(out)).get("mu"), mu);
    const both = { ...NOTHING, raw: true, to: "pytorch" as const };
    await assertRejects(
      () => convert({ options: both, arguments: [npz, out], overrides: [] }),
      UsageError,
      "Cannot use --raw with --to pytorch",
    );
  }));

Deno.test("convert refuses networks that nobody here knows, and says whose they look like", () =>
  inFolder(async (folder) => {
    const out = join(folder, "out.safetensors"), pt = join(folder, "x.pt");
    const weight = savedF32([1], [1]);
    const cases: [string[], string][] = [
      [["a.weight", "b.bias"], 'got 2 tensors such as "a.weight", "b.bias"'],
      [[], "got no tensor"],
      [["state_dict.model.diffusion_model.input_blocks.0.0.weight"], "CompVis/latent-diffusion"],
      [["module.all_modules.0.weight"], "yang-song/score_sde_pytorch"],
    ];
    for (const [names, part] of cases) {
      await Deno.writeFile(pt, torchZip(new Map(names.map((name) => [name, weight]))));
      const { message } = await assertRejects(() => inProcess(pt, out), UsageError, part);
      assertStringIncludes(message, "--raw takes the tensors under their own names");
    }
    await Deno.writeFile(pt, torchZip(new Map([["time_embedding.linear_1.weight", weight]])));
    await assertRejects(() => inProcess(pt, out), UsageError, "must lie beside its config.json");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["x.pt"]);
  }));

Deno.test("convert names what it recognised, the prefix it took off, marks and what it left out", () =>
  inFolder(async (folder) => {
    const out = join(folder, "out.safetensors"), pt = join(folder, "x.pt");
    const prefixed = Array.from(
      tinyStateDict(1),
      ([name, tensor]) => [`module.${name}`, tensor] as const,
    );
    const space = FOREIGN_OBJECTS["argparse.Namespace, protocol 2"]!;
    await Deno.writeFile(
      pt,
      torchZip(
        new Map<string, Saved>([
          ["model", new Map(prefixed)],
          ["args", new SavedObject(Array.from(atob(space), (letter) => letter.charCodeAt(0)))],
          ["opt", new Map([["m", savedF32([1], [1])], ["v", savedF32([1], [1])]])],
        ]),
      ),
    );
    const said = await good("commands/convert/main.ts", pt, out, ...OVERRIDES);
    assertEquals(said.split("\n").slice(0, 3), [
      "note: kept as marks, and nothing of them run: args (argparse.Namespace)",
      'Recognised w86763777/pytorch-ddpm: 145 tensors under "model.module.", no average; they stand for it too',
      "note: left out: opt (2 tensors)",
    ]);
    await Checkpoint.open(out);
    const raw = { ...NOTHING, raw: true };
    await convert({ options: raw, arguments: [pt, out], overrides: [] });
    const { metadata } = readSafetensors(await Deno.readFile(out));
    assertEquals(metadata.args, '"<argparse.Namespace>"');
  }));

Deno.test("convert refuses every damaged and malicious file in one line and writes nothing", () =>
  inFolder(async (folder) => {
    const out = join(folder, "out.safetensors");
    for await (const { name } of Deno.readDir(GOLDEN)) {
      if (!/^(malicious|corrupt|.*truncated).*\.pt$/.test(name)) continue;
      const { message } = await assertRejects(() => inProcess(join(GOLDEN, name), out));
      assertStringIncludes(message, `Cannot convert ${join(GOLDEN, name)}: cannot read`);
      assert(!message.includes("\n"), message);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("convert says what is wrong about its use, with exit code 2", () =>
  inFolder(async (folder) => {
    const dtypes = join(GOLDEN, "dtypes.pt"), out = join(folder, "out.safetensors");
    const lost = join(folder, "nd/x.safetensors"), taken = join(folder, "taken.safetensors");
    await Deno.mkdir(taken);
    const cases: [string[], Partial<typeof NOTHING>, string][] = [
      [[dtypes], {}, "IN and OUT must be given"],
      [[dtypes, dtypes], { raw: true }, "OUT must be another path"],
      [[dtypes, folder], { raw: true }, "OUT must be a .safetensors file"],
      [[dtypes, out], { to: "diffusers" }, "must hold a network of"],
      [[folder, out], {}, "must be a run with a checkpoint or a diffusers pipeline"],
      [
        [dtypes, lost],
        { raw: true },
        `Cannot write ${lost}: the folder ${folder}/nd must exist, make it first`,
      ],
      [
        [dtypes, taken],
        { raw: true },
        `Cannot write ${taken}: the path must name a file, it is a folder`,
      ],
      [[join(folder, "no.pt"), out], {}, `no.pt: there is no such file or folder`],
      [[join(dtypes, "no.pt"), out], {}, "no.pt: each folder on the path must be a folder"],
    ];
    for (const [paths, options, part] of cases) {
      const convertTo = { options: { ...NOTHING, ...options }, arguments: paths, overrides: [] };
      await assertRejects(() => convert(convertTo), UsageError, part);
    }
    const pt = join(folder, "ckpt.pt"), none = join(folder, "none.txt");
    await Deno.writeFile(pt, tinyFile());
    await assertRejects(
      () =>
        convert({ options: { ...NOTHING, flagfile: none }, arguments: [pt, out], overrides: [] }),
      UsageError,
      `Cannot read flags ${none}: there is no such file`,
    );
    const { code, stderr } = await run(
      "commands/convert/main.ts",
      dtypes,
      out,
      "--raw",
      "--model.dropout=0",
    );
    assertEquals(code, 2);
    assertEquals(stderr.trim().split("\n").length, 1);
    assertStringIncludes(stderr, "--model.dropout");
  }));
