/**
 * Sends a model to the Hugging Face hub: averaged weights, config, card and samples.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { formatConfig, parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { hubSettings } from "../../data/fetching/hub/settings.ts";
import { namedParameters } from "../../model/module.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite } from "../../support/files.ts";
import { type UploadFile, uploadToHub } from "../../support/hub_upload.ts";
import { onEndSignals } from "../../support/signals.ts";
import {
  type Checkpoint,
  stepName,
  type StoredDtype,
  writeCheckpoint,
} from "../../training/checkpoint.ts";
import { networkOf } from "../../training/run.ts";
import { runFolder } from "../../training/run_folder.ts";
import { formatBytes } from "../../training/run_summary.ts";
import { EMA_PREFIX } from "../../training/state.ts";
import { withoutPlaces } from "../shared/checkpoints/portable.ts";
import { findCheckpoint } from "../shared/load_sampler.ts";
import { type HubCard, hubCard } from "./hub_card.ts";

/** What is sent, and how. */
export interface HubChoice {
  /** OWNER/NAME. */
  readonly repository: string;
  /** The branch; null is the main one. */
  readonly branch: string | null;
  readonly isPrivate: boolean;
  readonly dtype: StoredDtype;
  readonly license: string | null;
  readonly withLog: boolean;
  readonly dryRun: boolean;
}

/** Reads OWNER/NAME as the hub takes it. */
export function repositoryName(text: string): string {
  const part = String.raw`[\w-](?:[\w.-]{0,94}[\w-])?`;
  if (new RegExp(`^${part}/${part}$`).test(text) && !/--|\.\./.test(text)) return text;
  throw new RangeError(
    "must be OWNER/NAME of letters, digits, and - _ . inside, at most 96 each, got " +
      JSON.stringify(text),
  );
}

/** Reads a branch's name. */
export function branchName(text: string): string {
  if (/^\w[\w./-]*$/.test(text) && !/\.\.|\/$|^refs\//.test(text)) return text;
  throw new RangeError(
    `must be a branch of letters, digits and - _ . /, got ${JSON.stringify(text)}`,
  );
}

/**
 * Sends the newest checkpoint of a run, or a file.
 *
 * @param place The run's folder, or the checkpoint.
 * @throws {UsageError} When there is no token, or the hub refuses.
 * @throws {Error} When the hub does not answer.
 */
export async function toHub(place: string, choice: HubChoice): Promise<void> {
  const { repository, branch, isPrivate, dryRun } = choice;
  const { endpoint, token, offline } = await hubSettings();
  if (!dryRun) requireReady(repository, token, offline);
  const checkpoint = await findCheckpoint(place);
  const work = await Deno.makeTempDir({ prefix: "diffract-hub-" });
  const leave = () => {
    Deno.removeSync(work, { recursive: true });
    Deno.exit(130);
  };
  const stop = onEndSignals({ asked: leave, hangup: leave });
  try {
    const files = await gather(checkpoint, work, choice);
    const where = `${endpoint}/${repository}${branch === null ? "" : `/tree/${branch}`}`;
    for (const { name, path } of files) {
      console.log(`${name.padEnd(18)} ${formatBytes((await Deno.stat(path)).size)}`);
    }
    if (dryRun) {
      console.log(`These would go to ${where}${isPrivate ? ", private" : ""}; nothing was sent`);
      return;
    }
    const title = `Averaged weights of step ${checkpoint.step}`;
    const commit = await uploadToHub({
      ...{ endpoint, token: token!, repository, branch, isPrivate, title, files },
    });
    console.log(`Sent to ${where} as commit ${commit.slice(0, 10)}`);
  } finally {
    stop();
    await Deno.remove(work, { recursive: true });
  }
}

function requireReady(repository: string, token: string | null, offline: boolean): void {
  if (offline) {
    throw new UsageError(
      `Cannot send to ${repository}: HF_HUB_OFFLINE must not be set, it is; --dry-run lists the files`,
    );
  }
  if (token !== null) return;
  throw new UsageError(
    `Cannot send to ${repository}: there must be a token with write access, got none; set HF_TOKEN to ` +
      'one of https://huggingface.co/settings/tokens, or run "hf auth login"',
  );
}

/** Writes what is sent into a folder, and adds what lies in the run. */
async function gather(
  checkpoint: Checkpoint,
  work: string,
  choice: HubChoice,
): Promise<UploadFile[]> {
  const config = withoutPlaces(parseConfig(checkpoint.config, { path: checkpoint.path }));
  if (config.model.latent.autoencoder !== null) {
    throw new UsageError(
      `Cannot send ${checkpoint.path}: diffusion must be among pixels, it is among the latents of ` +
        "an autoencoder that is no part of the checkpoint",
    );
  }
  const text = formatConfig(config);
  const at = (name: string): UploadFile => ({ name, path: join(work, name) });
  const weights = at("model.safetensors"), settings = at("config.json"), card = at("README.md");
  await writeWeights(weights.path, checkpoint, config, text, choice.dtype);
  await atomicWrite(settings.path, text);
  const samples = await samplesOf(checkpoint);
  const about: HubCard = { ...choice, checkpoint, config, hasSamples: samples !== null };
  await atomicWrite(card.path, await hubCard(about));
  const files = [card, settings, weights];
  if (samples !== null) files.push({ name: "samples.png", path: samples });
  if (choice.withLog) files.push({ name: "log.jsonl", path: await logOf(checkpoint) });
  return files;
}

/** A checkpoint of averaged weights alone, as sample, eval and train --from read it. */
async function writeWeights(
  path: string,
  checkpoint: Checkpoint,
  config: Config,
  text: string,
  dtype: StoredDtype,
): Promise<void> {
  const tensors = Array.from(namedParameters(networkOf(config)), ([own, { shape }]) => {
    const name = `${EMA_PREFIX}${own}`;
    return { name, shape, read: () => checkpoint.read(name, shape) };
  });
  await writeCheckpoint(path, { ...checkpoint, config: text }, tensors, dtype);
}

/** The run that a checkpoint lies in. */
function runOf({ path }: Checkpoint) {
  return runFolder(dirname(dirname(path)));
}

/** The newest grid of samples that is not of a later step; null where there is none. */
async function samplesOf(checkpoint: Checkpoint): Promise<string | null> {
  const { samples } = runOf(checkpoint), last = `${stepName(checkpoint.step)}.png`;
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(samples)) {
      const fits = /^step-\d{6,}\.png$/.test(name) && stepOf(name) <= stepOf(last);
      if (fits) names.push(name);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
  const newest = names.sort((a, b) => stepOf(a) - stepOf(b)).at(-1);
  return newest === undefined ? null : join(samples, newest);
}

const stepOf = (name: string) => Number(/\d+/.exec(name)![0]);

async function logOf(checkpoint: Checkpoint): Promise<string> {
  const { log } = runOf(checkpoint);
  try {
    if ((await Deno.stat(log)).isFile) return log;
  } catch {
    // Said below.
  }
  throw new UsageError(`Cannot send a log: ${log} must be one, it is not; leave --log out`);
}
