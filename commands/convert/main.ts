/**
 * Between PyTorch's files and ours: `deno task convert ckpt.pt model.safetensors`.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { Override } from "../../config/load.ts";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { fileError, readNamedFile } from "../../support/files.ts";
import { Checkpoint, CHECKSUM, newestCheckpoint } from "../../training/checkpoint.ts";
import { runFolder } from "../../training/run_folder.ts";
import { recognise } from "../shared/checkpoints/code_bases.ts";
import {
  type PortableAutoencoder,
  readAutoencoderFiles,
  writeAutoencoderFiles,
} from "../shared/checkpoints/autoencoder.ts";
import { exportDit, importDit } from "../shared/checkpoints/dit.ts";
import { exportFull, importFull } from "../shared/checkpoints/full.ts";
import { importLucid } from "../shared/checkpoints/lucid.ts";
import { exportLucidStyle, importLucidFlax } from "../shared/checkpoints/lucid_flax.ts";
import { readDiffusers, writeDiffusers } from "../shared/checkpoints/diffusers.ts";
import {
  type DiffusersFiles,
  findDiffusers,
  readWeights,
  shardOf,
} from "../shared/checkpoints/diffusers_files.ts";
import { edmSnapshot, importEdm } from "../shared/checkpoints/edm.ts";
import { type Flags, NO_FLAGS, parseFlagfile } from "../shared/checkpoints/flagfile.ts";
import { exportGuided, importGuided } from "../shared/checkpoints/guided_diffusion.ts";
import { configIn, exportNamed, importNamed } from "../shared/checkpoints/named.ts";
import {
  checkPlace,
  isWeightsFile,
  requireFile,
  requireFolder,
  requireNoRun,
} from "../shared/checkpoints/output.ts";
import { fromCheckpoint, type PortableModel, writeModel } from "../shared/checkpoints/portable.ts";
import {
  exportPytorchDdpm,
  importPytorchDdpm,
  type WeightsChoice,
} from "../shared/checkpoints/pytorch_ddpm.ts";
import {
  readSource,
  type Source,
  writeSource,
  writeTensors,
} from "../shared/checkpoints/source.ts";
import type { Exported } from "../shared/checkpoints/state_dicts.ts";
import { checkResultFile } from "../shared/path_checks.ts";

const FORMATS = ["diffract", "tensors", "pytorch", "diffusers"] as const;

/** Code bases whose files tell a network by names and shapes alone. */
const IMPORTS = {
  "dit": importDit,
  "full": importFull,
  "guided-diffusion": importGuided,
  "lucid": importLucid,
  "lucid-flax": importLucidFlax,
} as const;

/** Who writes a network for its own code base, by `model.name`; pytorch-ddpm's unless given. */
const EXPORTS: Readonly<
  Record<string, (model: PortableModel, choice: WeightsChoice) => Exported | Promise<Exported>>
> = {
  "dit": exportDit,
  "edm": exportNamed,
  "edm2": exportNamed,
  "full": exportFull,
  "guided": exportGuided,
  "lucid": exportLucidStyle,
  "lucid-karras": exportNamed,
  "unrolled": exportNamed,
};

const command = defineCommand({
  name: "convert",
  summary: "Convert between PyTorch's files and ours, without PyTorch.",
  description:
    "IN is a file of torch.save (.pt, .pth, .ckpt, .bin), a pickle with tensors (.pkl), .npz or " +
    ".safetensors, the folder of a diffusers pipeline or model in any of its layouts, or a " +
    "checkpoint or run of ours. A " +
    "checkpoint of w86763777/pytorch-ddpm (net_model, ema_model, optim, sched, step, x_T), a bare " +
    "state_dict of it or of guided-diffusion, one of facebookresearch/DiT (model, ema) or of " +
    "lucidrains/denoising-diffusion-pytorch, a flax checkpoint (MessagePack) of " +
    "yiyixuxu/denoising-diffusion-flax, a FullUNet of xianyingkong/dsc-capstone-b05, a diffusers " +
    "UNet2DModel and a snapshot of NVlabs/edm or edm2 (.pkl) become a checkpoint of ours, ready for " +
    "sample and train --resume; a diffusers AutoencoderKL becomes what --model.latent.autoencoder " +
    "takes. Words that " +
    "wrappers put before names (module., _orig_mod., model., ema.) are taken off. A network that " +
    "nobody here knows is refused; with --raw any file becomes plain " +
    "safetensors under its own names. Nothing in a file is ever run.",
  arguments: [
    { name: "IN", description: "what to convert" },
    {
      name: "OUT",
      description: "a .safetensors file, or a folder: a run's for diffract, a pipeline's for " +
        "diffusers",
    },
  ],
  options: {
    to: {
      value: "FORMAT",
      choices: FORMATS,
      description: "diffract: our checkpoint; tensors: as --raw; pytorch: " +
        "the names of the network's own code base; diffusers: a pipeline's folder",
    },
    raw: { description: "take every tensor under its own name, whatever network it is of" },
    prefix: {
      value: "TEXT",
      description: "what the names of the wanted network begin with, where a file has several",
    },
    weights: {
      value: "KIND",
      choices: ["all", "ema", "raw"],
      description: "what pytorch and diffusers get: everything (pytorch's default), the averaged " +
        "weights (diffusers' default) or those of the last step, under the network's own names",
    },
    flagfile: {
      value: "FILE",
      description:
        "flags that a pytorch-ddpm checkpoint was trained with; flagfile.txt beside it by default",
    },
  },
  overrides: "sets a key of the imported config, as in --model.dropout=0",
  examples: [
    { args: "ckpt.pt model.safetensors", does: "makes a PyTorch checkpoint one of ours" },
    { args: "ckpt.pt runs/imported", does: "makes it a run, to go on with by train --resume" },
    {
      args: "runs/quickstart back.safetensors --to pytorch --weights ema",
      does: "writes the averaged weights as a PyTorch state_dict",
    },
    { args: "model.safetensors pipeline --to diffusers", does: "writes a diffusers pipeline" },
  ],
});

type Options = Invocation<typeof command.options>["options"];

/** What an input turned out to be, and the file that it is in. */
type Input =
  & { readonly file: string }
  & (
    | { readonly autoencoder: PortableAutoencoder }
    | { readonly model: PortableModel }
    | { readonly source: Source }
  );

/**
 * Whether the path is a folder.
 *
 * @throws {UsageError} When there is nothing, or it can't be reached.
 */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (cause) {
    const message = cause instanceof Deno.errors.NotFound
      ? `Cannot convert ${path}: there is no such file or folder`
      : fileError("convert", path, cause).message;
    throw new UsageError(message, { cause });
  }
}

/** Whether a file's header says that it is a checkpoint of ours. */
function isOurs(source: Source): boolean {
  const format = source.facts.get("format");
  return typeof format === "string" && format.startsWith("diffract checkpoint");
}

const say = (line: string) => console.log(line);

/** Reads the input as a network where it is one and one is wanted, else as tensors. */
async function read(
  path: string,
  options: Options,
  overrides: readonly Override[],
): Promise<Input> {
  if (await isFolder(path)) return await readFolder(path, options, overrides);
  const raw = options.to === "tensors";
  if (path.endsWith(".json") || (!raw && shardOf(path) !== null)) {
    const files = await findDiffusers(path);
    if (files) return await readModel(files, options, overrides);
    throw new UsageError(
      path.endsWith(".json")
        ? `Cannot convert ${path}: it must belong to a diffusers model, whose weights must lie beside it`
        : `Cannot convert ${path}: it must be a whole model, it is part ${
          shardOf(path)!.number
        } of ` +
          `${shardOf(path)!.of}; give the folder with all parts, their index and config.json, or ` +
          "--raw for the tensors of this part alone",
    );
  }
  const source = await readSource(path);
  tellMarks(source);
  const ours = isOurs(source);
  if (ours) refuseOverrides(overrides);
  if (raw) return { file: path, source: ours ? withoutChecksum(source) : source };
  if (ours) return { file: path, model: fromCheckpoint(await Checkpoint.open(path)) };
  const snapshot = edmSnapshot(source);
  if (snapshot) return { file: path, model: importEdm(source, snapshot, { overrides, say }) };
  const { known, title } = recognise(source);
  if (known !== "full" && configIn(source) !== undefined) {
    const { prefix } = options;
    return { file: path, model: importNamed(source, { overrides, prefix, say }) };
  }
  if (known === "pytorch-ddpm") {
    const flags = await readFlags(path, options.flagfile);
    const { prefix } = options;
    return { file: path, model: importPytorchDdpm(source, { flags, overrides, prefix, say }) };
  }
  if (known !== null && known in IMPORTS) {
    const read = IMPORTS[known as keyof typeof IMPORTS];
    return { file: path, model: read(source, { overrides, prefix: options.prefix, say }) };
  }
  if (known === "diffusers") {
    const files = await findDiffusers(path);
    if (files) return await readModel(files, options, overrides);
    throw new UsageError(
      `Cannot convert ${path}: the weights of ${title} must lie beside its ` +
        "config.json, which tells what they do not; put it there, or take the bare tensors by --raw",
    );
  }
  throw unknownNetwork(path, source, title);
}

/** Reads a folder: a pipeline, a model or a run. */
async function readFolder(
  path: string,
  options: Options,
  overrides: readonly Override[],
): Promise<Input> {
  const files = await findDiffusers(path);
  if (files) return await readModel(files, options, overrides);
  refuseOverrides(overrides);
  const checkpoint = await newestCheckpoint(runFolder(path).checkpoints, console.error);
  if (checkpoint) {
    const { path: file } = checkpoint;
    return options.to === "tensors"
      ? { file, source: withoutChecksum(await readSource(file)) }
      : { file, model: fromCheckpoint(checkpoint) };
  }
  throw new UsageError(
    `Cannot convert ${path}: the folder must be a run with a checkpoint or a diffusers pipeline, or ` +
      "hold the config.json and the weights of a diffusers model",
  );
}

async function readModel(
  files: DiffusersFiles,
  { to, prefix }: Options,
  overrides: readonly Override[],
): Promise<Input> {
  const { weights: file } = files;
  if (to === "tensors") return { file, source: await readWeights(file) };
  const autoencoder = await readAutoencoderFiles(files);
  if (!autoencoder) {
    return { file, model: await readDiffusers(files, { overrides, prefix, say }) };
  }
  refuseOverrides(overrides);
  return { file, autoencoder };
}

/** Names the objects of a file that mean nothing here. */
function tellMarks({ marks }: Source): void {
  if (marks.size === 0) return;
  const texts = Array.from(marks, ([name, type]) => name === "" ? type : `${name} (${type})`);
  const rest = texts.length > 12 ? ` and ${texts.length - 12} more` : "";
  say(`note: kept as marks, and nothing of them run: ${texts.slice(0, 12).join(", ")}${rest}`);
}

/** What to say of a file whose network nobody here knows. */
function unknownNetwork(path: string, { tensors }: Source, title: string | null): UsageError {
  const names = [...tensors.keys()].slice(0, 3).map((name) => JSON.stringify(name)).join(", ");
  const what = title !== null
    ? `it looks like a network of ${title}`
    : tensors.size > 0
    ? `got ${tensors.size} tensors such as ${names}`
    : "got no tensor";
  return new UsageError(
    `Cannot convert ${path} to a checkpoint of ours: it must hold a network of ` +
      "w86763777/pytorch-ddpm, facebookresearch/DiT, guided-diffusion, " +
      "lucidrains/denoising-diffusion-pytorch, yiyixuxu/denoising-diffusion-flax, " +
      "xianyingkong/dsc-capstone-b05 or diffusers, or be a snapshot of NVlabs/edm, " +
      `${what}; --raw takes the tensors under their own names`,
  );
}

/** The tensors of a checkpoint of ours; its checksum is none of its network's. */
function withoutChecksum(source: Source): Source {
  const named = [...source.tensors].filter(([name]) => name !== CHECKSUM);
  return { ...source, tensors: new Map(named) };
}

/** Converting a checkpoint of ours changes nothing about it, and plain tensors have no config. */
function refuseOverrides(overrides: readonly Override[]): void {
  if (overrides.length === 0) return;
  throw new UsageError(
    `Cannot use --${overrides[0]![0]}: only an imported network gets a config, and this is none`,
  );
}

/** The flags of a file that a person named, or of the one beside the checkpoint if there is one. */
async function readFlags(path: string, flagfile: string | undefined): Promise<Flags> {
  const file = flagfile ?? join(dirname(path), "flagfile.txt");
  let bytes: Uint8Array;
  try {
    bytes = await readNamedFile("flags", file);
  } catch (error) {
    if (flagfile === undefined) return NO_FLAGS;
    throw error;
  }
  console.log(`Taking the flags of ${file}`);
  return parseFlagfile(new TextDecoder().decode(bytes));
}

/** Writes what was read, and tells what became of it. */
async function write(out: string, input: Input, options: Options): Promise<string> {
  if ("source" in input) {
    requireFile(out, "tensors");
    await writeSource(out, input.source);
    return `${input.source.tensors.size} tensors under their own names to ${out}`;
  }
  if ("autoencoder" in input) return await writeAutoencoderFiles(out, input.autoencoder, options);
  const { model } = input;
  const { to = "diffract", weights } = options;
  if (to === "pytorch") {
    requireFile(out, to);
    checkSchedule(model);
    const written = EXPORTS[model.config.model.name] ?? exportPytorchDdpm;
    const { tensors, metadata } = await written(model, (weights ?? "all") as WeightsChoice);
    await writeTensors(out, tensors, metadata);
    return `${tensors.length} tensors under PyTorch's names to ${out}`;
  }
  if (to === "diffusers") {
    if (weights === "all") {
      throw new UsageError("Cannot write a pipeline with --weights all: choose ema or raw");
    }
    await requireNoRun(out, "pipeline");
    await writeDiffusers(out, model, weights === "raw" ? "raw" : "ema");
    return `a diffusers pipeline to ${out}`;
  }
  if (!isWeightsFile(out)) requireFolder(out, "run");
  const path = await writeModel(out, model);
  const what = path === out ? "a checkpoint of ours" : "a run with a checkpoint";
  return `${what}, step ${model.step}, to ${path}`;
}

/** Of code bases only lucidrains' has a place for a learned noise schedule. */
function checkSchedule({ network, config: { model } }: PortableModel): void {
  if (!network.logSnr || (model.name === "lucid" && model.style !== "flax")) return;
  throw new UsageError(
    `Cannot write ${model.name} under PyTorch's names: its noise schedule is learned, which the code ` +
      "of model lucid alone has a place for; --to diffract keeps it",
  );
}

/** The options with what --raw stands for. */
function withRaw(options: Options): Options {
  if (!options.raw) return options;
  if (options.to !== undefined && options.to !== "tensors") {
    throw new UsageError(`Cannot use --raw with --to ${options.to}: it takes a file as it is`);
  }
  return { ...options, to: "tensors" };
}

/** The command. */
export async function convert(
  { options: given, arguments: [path, out], overrides }: Pick<
    Invocation<typeof command.options>,
    "options" | "arguments" | "overrides"
  >,
): Promise<void> {
  if (path === undefined || out === undefined) {
    throw new UsageError("Cannot convert: IN and OUT must be given, see --help");
  }
  const options = withRaw(given);
  const input = await read(path, options, overrides);
  if ("source" in input) refuseOverrides(overrides);
  await checkPlace(out, [path, input.file]);
  if (isWeightsFile(out) && options.to !== "diffusers") await checkResultFile(out);
  console.log(`Wrote ${await write(out, input, options)}`);
  if ("model" in input && (options.to ?? "diffract") === "diffract") {
    const use = isWeightsFile(out)
      ? `deno task sample --checkpoint ${out}`
      : `deno task train --resume --run.dir=${out}`;
    console.log(`Go on with: ${use}`);
  }
}

if (import.meta.main) await runCommand(command, convert);
