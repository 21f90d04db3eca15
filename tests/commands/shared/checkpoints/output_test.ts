import { dirname, join, relative } from "node:path";
import { UsageError } from "../../../../support/errors.ts";
import { Checkpoint, stepName } from "../../../../training/checkpoint.ts";
import { NO_FLAGS } from "../../../../commands/shared/checkpoints/flagfile.ts";
import { checkPlace, requireFolder } from "../../../../commands/shared/checkpoints/output.ts";
import { writeModel } from "../../../../commands/shared/checkpoints/portable.ts";
import { importPytorchDdpm } from "../../../../commands/shared/checkpoints/pytorch_ddpm.ts";
import { sourceOf } from "../../../../commands/shared/checkpoints/source.ts";
import { convert } from "../../../../commands/convert/main.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { TINY_OVERRIDES, tinyFile } from "../../../support/pytorch_checkpoint.ts";

type Options = Parameters<typeof convert>[0]["options"];

const WAYS: Partial<Options>[] = [
  {},
  { to: "tensors" },
  { to: "pytorch" },
  { to: "pytorch", weights: "ema" },
  { to: "pytorch", weights: "raw" },
];

function run(from: string, out: string, options: Partial<Options>): Promise<void> {
  const all: Options = {
    ...{ to: undefined, weights: undefined, flagfile: undefined, prefix: undefined, raw: false },
    ...options,
  };
  return convert({ options: all, arguments: [from, out], overrides: [] });
}

/** Makes a run and gives its only checkpoint. */
async function madeRun(folder: string, name: string): Promise<string> {
  const source = sourceOf("ckpt.pt", tinyFile());
  const model = importPytorchDdpm(source, { flags: NO_FLAGS, overrides: [...TINY_OVERRIDES] });
  return await writeModel(join(folder, name), model);
}

/** Refuses in every way of writing a file, and leaves the checkpoint whole. */
async function refused(from: string, out: string, checkpoint: string, part: string) {
  const before = await Deno.readFile(checkpoint);
  for (const options of WAYS) {
    await assertRejects(() => run(from, out, options), UsageError, part);
    assertEquals(await Deno.readFile(checkpoint), before);
  }
}

Deno.test("convert refuses to write over the checkpoint that a run's folder leads to", () =>
  inFolder(async (folder) => {
    const checkpoint = await madeRun(folder, "run"), dir = join(folder, "run");
    const itself = "Cannot convert a file to itself: OUT must be another path";
    await refused(dir, checkpoint, checkpoint, itself);
    await refused(checkpoint, checkpoint, checkpoint, itself);
    await refused(dir, relative(Deno.cwd(), checkpoint), checkpoint, itself);
    await refused(
      dir,
      `${dir}/samples/../checkpoints/${stepName(3)}.safetensors`,
      checkpoint,
      itself,
    );
    const link = join(folder, "link.safetensors"), linked = join(folder, "linked");
    await Deno.symlink(checkpoint, link);
    await Deno.symlink(join(dir, "checkpoints"), linked);
    await refused(dir, link, checkpoint, itself);
    await refused(link, checkpoint, checkpoint, itself);
    await refused(dir, join(linked, `${stepName(3)}.safetensors`), checkpoint, itself);
  }));

Deno.test("convert refuses to write a pipeline over itself, and over its weights", () =>
  inFolder(async (folder) => {
    const pipe = join(folder, "pipe"), link = join(folder, "link");
    const weights = join(pipe, "unet/diffusion_pytorch_model.safetensors");
    await run(dirname(dirname(await madeRun(folder, "run"))), pipe, { to: "diffusers" });
    await Deno.symlink(pipe, link);
    for (const out of [pipe, `${pipe}/`, link]) {
      for (const from of [pipe, link]) {
        const again = () => run(from, out, { to: "diffusers", weights: "raw" });
        await assertRejects(again, UsageError, `OUT must be another path, ${out} is what is read`);
      }
    }
    await refused(pipe, weights, weights, `OUT must be another path, ${weights} is what is read`);
  }));

Deno.test("checkPlace() refuses what is read, whichever path leads to either", () =>
  inFolder(async (folder) => {
    const file = join(folder, "file.safetensors"), link = join(folder, "link.safetensors");
    const deep = join(folder, "deep"), linked = join(folder, "linked");
    await Deno.mkdir(deep);
    await Deno.writeTextFile(file, "");
    await Deno.symlink(file, link);
    await Deno.symlink(folder, linked);
    const paths = [file, link, relative(Deno.cwd(), file), join(linked, "file.safetensors")];
    for (
      const out of [...paths, `${deep}/../file.safetensors`, `${linked}/deep/../link.safetensors`]
    ) {
      for (const read of paths) {
        await assertRejects(() => checkPlace(out, ["other", read]), UsageError, `${out} is what`);
      }
    }
    await checkPlace(join(folder, "other.safetensors"), paths);
    await checkPlace(join(folder, "none", "file.safetensors"), paths);
  }));

Deno.test("convert refuses to write among the checkpoints of any run, and a pipeline into a run", () =>
  inFolder(async (folder) => {
    const dir = join(folder, "run"), checkpoint = await madeRun(folder, "run");
    const other = await madeRun(folder, "other");
    const lies = `OUT must not lie in ${dir}/checkpoints, where a run keeps its checkpoints`;
    for (const name of [`${stepName(3)}.safetensors`, "new.safetensors", "deep/new.safetensors"]) {
      await refused(join(folder, "other"), join(dir, "checkpoints", name), checkpoint, lies);
    }
    for (const out of ["checkpoints", "checkpoints/new"]) {
      await assertRejects(() => run(other, join(dir, out), {}), UsageError, lies);
      await assertRejects(() => run(other, join(dir, out), { to: "diffusers" }), UsageError, lies);
    }
    const pipeline = () => run(other, dir, { to: "diffusers" });
    await assertRejects(pipeline, UsageError, "the folder must hold no run");
    assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), [
      "checkpoints",
      "config.json",
      "samples",
    ]);
    await run(other, join(dir, "beside.safetensors"), {});
    await Checkpoint.open(join(dir, "beside.safetensors"));
  }));

Deno.test("checkPlace() finds a run whose config, or whose checkpoints, are elsewhere", () =>
  inFolder(async (folder) => {
    const place = join(folder, "run/checkpoints"), disk = join(folder, "disk");
    await Deno.mkdir(join(folder, "run"));
    await Deno.mkdir(disk);
    await Deno.symlink(disk, place);
    const out = join(place, "new.safetensors");
    await checkPlace(out, []);
    await Deno.writeTextFile(join(folder, "run/config.json"), "{}");
    await assertRejects(() => checkPlace(out, []), UsageError, "OUT must not lie in");
    await checkPlace(join(disk, "new.safetensors"), []);

    const kept = join(disk, `${stepName(3)}.safetensors`);
    await checkPlace(kept, []);
    await Deno.writeTextFile(kept, "");
    await Deno.symlink(kept, join(folder, "kept.safetensors"));
    for (const path of [kept, join(folder, "kept.safetensors")]) {
      const { message } = await assertRejects(() => checkPlace(path, []), UsageError);
      assertStringIncludes(message, "OUT must not be a checkpoint that a run has written");
    }
    await Deno.remove(join(folder, "run/config.json"));
    await assertRejects(() => checkPlace(out, []), UsageError, "OUT must not lie in");
  }));

Deno.test("convert replaces its own earlier file", () =>
  inFolder(async (folder) => {
    const checkpoint = await madeRun(folder, "run"), out = join(folder, "out.safetensors");
    await Deno.writeTextFile(out, "earlier");
    await run(dirname(dirname(checkpoint)), out, {});
    assertEquals(await Deno.readFile(out), await Deno.readFile(checkpoint));
  }));

Deno.test("convert makes no folder that is called like a file, and says how to write one", () =>
  inFolder(async (folder) => {
    const dir = join(folder, "run");
    await madeRun(folder, "run");
    const weights = ["pt", "pth", "ckpt", "bin", "npz", "PT", "SafeTensors", "pt/"];
    const others = ["png", "jpg", "JPEG", "gif", "txt", "csv", "json", "jsonl"];
    for (const ending of [...weights, ...others]) {
      const out = join(folder, `o.${ending}`);
      for (const to of [undefined, "diffract", "diffusers"] as const) {
        const { message } = await assertRejects(() => run(dir, out, { to }), UsageError);
        assertStringIncludes(message, `OUT must not end in .${ending.replace("/", "")}`);
        assertStringIncludes(message, `use ${folder}/o.safetensors: with --to pytorch`);
      }
      await assertRejects(
        () => run(dir, out, { to: "pytorch" }),
        UsageError,
        "a .safetensors file",
      );
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["run"]);
    for (const name of ["runs/new", "lr-0.01", "v1.5", ".hidden", "runs.pt/new"]) {
      requireFolder(name, "run");
    }
  }));
