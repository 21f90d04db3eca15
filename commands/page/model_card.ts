/**
 * The card of a page's models, written from what their checkpoints and logs say: a README.md in the form
 * that the Hugging Face Hub and GitHub show.
 *
 * @module
 */
import { dirname } from "node:path";
import { parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { type LogLine, readLog } from "../../run_log/log_lines.ts";
import { ifThere } from "../../support/absence.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { runFolder } from "../../training/run_folder.ts";
import type { Site, SiteModel } from "./site.ts";

/** A model of the page and where it comes from. */
export interface CardSubject {
  readonly model: SiteModel;
  readonly checkpoint: Checkpoint;
}

/** Evaluations that a log may have, and what they are called. */
const SCORES: Readonly<Record<string, string>> = {
  ...{ fid: "FID", is: "Inception score", kid: "KID", spectrum: "Frechet distance of spectra" },
  ...{ precision: "Precision", recall: "Recall" },
};

/** The text of README.md. */
export async function modelCard(site: Site, subjects: readonly CardSubject[]): Promise<string> {
  const models = [];
  for (const subject of subjects) models.push(await sectionOf(subject));
  return `---
title: ${JSON.stringify(site.title)}
sdk: static
app_file: index.html
pinned: false
tags: [diffusion, unconditional-image-generation, webgpu]
---

# ${site.title}

Diffusion models that draw${site.training ? " and train" : ""} in the browser, by WebGPU, on the
computer of whoever opens the page; nothing is sent anywhere. Made with Diffract.

${models.join("\n")}
## Limits

Small models for the study of how diffusion models learn, not for any other use. What they draw is
like their data, with the biases of those.
`;
}

async function sectionOf({ model, checkpoint }: CardSubject): Promise<string> {
  const config = parseConfig(checkpoint.config, { path: checkpoint.path });
  const lines = (await logOf(checkpoint)).filter(({ step }) => step <= model.step);
  const rows = [...factsOf(model, config), ...scoresOf(lines)];
  return `## ${model.name}

| | |
| --- | --- |
${rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}

\`${model.weights.path}\` has the averaged weights as ${model.weights.dtype} in safetensors, by the
parameters' names in Diffract. To train it again, to the same bits on the same adapter and driver:

\`\`\`sh
deno task train --config ${configPath(model)}
\`\`\`
`;
}

/** Where the page has a model's config. */
export function configPath({ name }: SiteModel): string {
  return `configs/${name}.json`;
}

function factsOf(
  { step, parameters, size, data }: SiteModel,
  { model, diffusion, optim, train, run }: Config,
): [string, string][] {
  const { height, width, channels } = size;
  const images = (step * train.batchSize).toLocaleString("en");
  return [
    ["Network", `${model.name}, ${parameters.toLocaleString("en")} parameters`],
    ["Data", `${data}, ${height}x${width}, ${channels === 1 ? "grey" : "RGB"}`],
    [
      "Training",
      `${
        step.toLocaleString("en")
      } steps of ${train.batchSize} images (${images} in all), seed ${run.seed}`,
    ],
    [
      "Diffusion",
      `process ${diffusion.process}, schedule ${diffusion.schedule}, ${diffusion.timesteps} timesteps, ` +
      `target ${diffusion.target}, weighting ${diffusion.weighting}`,
    ],
    ["Optimiser", `${optim.name}, learning rate ${optim.lr}, ${optim.decay}`],
    ["Sampler", `${diffusion.sampler.name}, ${diffusion.sampler.steps ?? "all"} steps`],
  ];
}

/** The last of everything that the log has measured. */
function scoresOf(lines: readonly LogLine[]): [string, string][] {
  const last = (name: string) => {
    const line = lines.findLast((line) => Number.isFinite(line[name]));
    return line && [number(line[name] as number), ` (step ${line.step})`] as const;
  };
  const names = { loss: "Training loss", valLoss: "Validation loss", ...SCORES };
  const rows = Object.entries(names).flatMap(([key, name]): [string, string][] => {
    const found = last(key);
    return found ? [[name, found.join("")]] : [];
  });
  return [...rows, ...bandRow(lines)];
}

/** The loss in the noise by band of the newest line that has one. */
function bandRow(lines: readonly LogLine[]): [string, string][] {
  const event = lines.findLast(({ event }) => event === "bandLoss") as
    | { readonly bands: readonly number[]; readonly epsilon: readonly (number | null)[][] }
    | undefined;
  if (!event) return [];
  const means = event.bands.map((low, band) => {
    const values = event.epsilon.flatMap((row) => row[band] ?? []);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return `${number(mean)} from ${low}`;
  });
  return [["Loss in the noise by \\|k\\|, cycles a side", means.join(", ")]];
}

const number = (value: number) => String(Number(value.toPrecision(4)));

/** The log of a checkpoint's run, where it lies in one. */
async function logOf({ path }: Checkpoint): Promise<LogLine[]> {
  const { log } = runFolder(dirname(dirname(path)));
  const text = await ifThere(() => Deno.readTextFile(log));
  return text === null ? [] : readLog(text).lines;
}
