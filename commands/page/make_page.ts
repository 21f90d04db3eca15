/**
 * Writes the folder of a page.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFace } from "../../formats/face.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { formatBytes } from "../../training/run_summary.ts";
import { bundleForPage } from "../../support/esbuild.ts";
import { ifThere } from "../../support/absence.ts";
import { atomicWrite, checkWritable, ensureFolder } from "../../support/files.ts";
import { gzipSize } from "./gzip_size.ts";
import { configPath, modelCard } from "./model_card.ts";
import type { Site, SiteModel, SiteTraining, WeightsDtype } from "./site.ts";
import { siteModel } from "./site_model.ts";
import { siteTraining, TRAINING_IMAGES } from "./site_training.ts";

/** What a page is made with. */
export interface PageContext {
  /** The folder; what it has of the same names is replaced. */
  readonly out: string;
  readonly title: string;
  readonly dtype: WeightsDtype;
  /** What the page trains by; nothing where null. */
  readonly training: TrainingChoice | null;
  readonly say: (line: string) => void;
}

/** A config and how much of its data is shipped. */
export interface TrainingChoice {
  /** The config as JSON, and where it comes from. */
  readonly text: string;
  readonly path: string;
  /** Images at most. */
  readonly images: number;
  /** Whether a page without it is an error; else a line says why there is none. */
  readonly asked: boolean;
}

const APP = fileURLToPath(new URL("app/", import.meta.url));

/** Colours of lines, which the dashboard has too. */
const COLOURS = new URL("../dashboard/page/style/colours.css", import.meta.url);

/** Files of the page that are as they are. */
const FILES = ["index.html", "style.css", "icon.svg"];

/**
 * Writes a page of checkpoints.
 *
 * @throws {UsageError} For a checkpoint that no page can draw from.
 */
export async function makePage(
  checkpoints: readonly Checkpoint[],
  context: PageContext,
): Promise<Site> {
  const { out, title, dtype, say } = context;
  await checkWritable(out);
  await ensureFolder(join(out, "weights"));
  const models: SiteModel[] = [];
  for (const [i, checkpoint] of checkpoints.entries()) {
    const name = freeName(nameOf(checkpoint.path), models.map(({ name }) => name));
    const model = await siteModel(checkpoint, { out, name, dtype, say });
    models.push(model);
    say(
      `model ${i + 1}   ${name}: step ${model.step}, ${
        formatBytes(model.weights.bytes)
      } of ${dtype}`,
    );
  }
  const training = context.training && await trainingOf(context.training, context);
  // Data that are not to be shared must not stay from an earlier page.
  if (!training) await ifThere(() => Deno.remove(join(out, TRAINING_IMAGES)));
  const site: Site = { title, models, training };
  await atomicWrite(join(out, "site.json"), JSON.stringify(site));
  await writeCard(site, checkpoints, out);
  await writeApp(context);
  say(`Wrote ${out}: serve it by any server of files, as in \`npx serve ${out}\``);
  return site;
}

/** The models' card, and their configs. */
async function writeCard(site: Site, checkpoints: readonly Checkpoint[], out: string) {
  const subjects = site.models.map((model, i) => ({ model, checkpoint: checkpoints[i]! }));
  await ensureFolder(join(out, "configs"));
  for (const { model, checkpoint } of subjects) {
    await atomicWrite(join(out, configPath(model)), checkpoint.config);
  }
  await atomicWrite(join(out, "README.md"), await modelCard(site, subjects));
}

/** The training set and the ways to train on it. */
async function trainingOf(
  { text, path, images, asked }: TrainingChoice,
  { out, say }: PageContext,
): Promise<SiteTraining | null> {
  await ensureFolder(join(out, "data"));
  let training: SiteTraining;
  try {
    training = await siteTraining(text, path, { out, most: images, say });
  } catch (error) {
    if (asked) throw error;
    say(`note: the page does not train: ${(error as Error).message}`);
    return null;
  }
  say(
    `training  ${training.count} images of ${training.data}, ${
      formatBytes(training.images.bytes)
    }: ${training.recipes.map(({ name }) => name).join(", ")}`,
  );
  return training;
}

/** The page's own files. */
async function writeApp({ out, say }: PageContext): Promise<void> {
  const { code, files } = await bundleForPage(join(APP, "main.ts"));
  await atomicWrite(join(out, "page.js"), code);
  for (const name of FILES) await atomicWrite(join(out, name), await Deno.readFile(APP + name));
  await atomicWrite(join(out, "colours.css"), await Deno.readFile(COLOURS));
  for (const weight of ["400", "600"]) {
    const face = await readFace(`inter-latin-${weight}-normal`);
    await atomicWrite(join(out, `face-${weight}.woff2`), face);
  }
  // GitHub Pages would otherwise leave out what begins with an underscore, and take a while.
  await atomicWrite(join(out, ".nojekyll"), "");
  say(
    `page      page.js of ${files} files: ${formatBytes(code.length)}, ` +
      `${formatBytes(await gzipSize(code))} gzipped`,
  );
}

/** The name of a checkpoint's run, or of a file that lies elsewhere. */
function nameOf(path: string): string {
  const folder = dirname(path);
  return basename(folder) === "checkpoints"
    ? basename(dirname(folder))
    : basename(path).replace(/\.safetensors$/, "");
}

/** A name that a file can have everywhere and that is not taken. */
function freeName(wanted: string, taken: readonly string[]): string {
  const name = wanted.replaceAll(/[^\w.-]+/g, "-") || "model";
  for (let i = 1;; i++) {
    const next = i === 1 ? name : `${name}-${i}`;
    if (!taken.includes(next)) return next;
  }
}
