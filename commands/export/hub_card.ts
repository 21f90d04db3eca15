/**
 * The card of a model on the Hugging Face hub: a README.md whose front matter the hub reads.
 * https://huggingface.co/docs/hub/model-cards
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import { imageShape } from "../../data/options.ts";
import { countParameters } from "../../model/module.ts";
import type { Checkpoint, StoredDtype } from "../../training/checkpoint.ts";
import { networkOf } from "../../training/run.ts";
import { factRows, lastScores, logUpTo, type Score, scoreRows } from "../shared/model_facts.ts";

/** What a card is of. */
export interface HubCard {
  readonly checkpoint: Checkpoint;
  readonly config: Config;
  /** OWNER/NAME. */
  readonly repository: string;
  readonly dtype: StoredDtype;
  /** The hub's name of the licence, as in "mit". */
  readonly license: string | null;
  readonly hasSamples: boolean;
}

/** The text of README.md. */
export async function hubCard(card: HubCard): Promise<string> {
  const { checkpoint, config, repository, dtype, hasSamples } = card;
  const name = repository.split("/").at(-1)!;
  const lines = await logUpTo(checkpoint);
  const parameters = countParameters(networkOf(config));
  const { step } = checkpoint, { name: data } = config.data;
  const facts = factRows({ step, parameters, data, size: imageShape(config.data) }, config);
  const rows = [...facts, ...scoreRows(lines)];
  return `${frontMatter(card, name, lastScores(lines))}
# ${name}

A diffusion model, trained with Diffract.
${hasSamples ? "\n![Samples](samples.png)\n" : ""}
| | |
| --- | --- |
${rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}

\`model.safetensors\` has the averaged weights as ${dtype}, by the parameters' names in Diffract, which
draws from it and goes on from it:

\`\`\`sh
hf download ${repository} --local-dir ${name}
deno task sample --checkpoint ${name}/model.safetensors --count 64 --out samples.png
deno task train --from ${name}/model.safetensors --run.dir=runs/${name}
deno task train --config ${name}/config.json
\`\`\`

The last line trains it again from scratch, to the same bits on the same adapter and driver.
`;
}

/** YAML, of which JSON's strings and lists are a part. */
function frontMatter(
  { config, license }: HubCard,
  name: string,
  scores: readonly Score[],
): string {
  const data = config.data.name, hub = /^hf:([^@#]+)/.exec(data)?.[1];
  const results = {
    task: { type: "unconditional-image-generation" },
    dataset: { name: data, type: hub ?? data },
    metrics: scores.map(({ key, name, value }) => ({ type: key, name, value })),
  };
  const entries: [string, unknown][] = [
    ...license === null ? [] : [["license", license] as [string, unknown]],
    ["library_name", "diffract"],
    ["pipeline_tag", "unconditional-image-generation"],
    ["tags", ["diffract", "diffusion", config.model.name]],
    ...hub === undefined ? [] : [["datasets", [hub]] as [string, unknown]],
    ...scores.length === 0
      ? []
      : [["model-index", [{ name, results: [results] }]] as [string, unknown]],
  ];
  const lines = entries.map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return `---\n${lines.join("\n")}\n---\n`;
}
