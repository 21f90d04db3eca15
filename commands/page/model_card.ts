/**
 * The card of a page's models, written from what their checkpoints and logs say: a README.md in the form
 * that the Hugging Face Hub and GitHub show.
 *
 * @module
 */
import { parseConfig } from "../../config/load.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { factRows, logUpTo, scoreRows } from "../shared/model_facts.ts";
import type { Site, SiteModel } from "./site.ts";

/** A model of the page and where it comes from. */
export interface CardSubject {
  readonly model: SiteModel;
  readonly checkpoint: Checkpoint;
}

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
  const rows = [...factRows(model, config), ...scoreRows(await logUpTo(checkpoint))];
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
