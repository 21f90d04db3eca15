/**
 * Checks a page in a headless Chromium against Deno: `deno task page-check`. The tests do the same with
 * few steps of a small network; this takes a whole run.
 *
 * @module
 */
import { join } from "node:path";
import { makePage } from "../../commands/page/make_page.ts";
import type { Site } from "../../commands/page/site.ts";
import { forcedFamily, openScriptGpu } from "../../commands/shared/gpu.ts";
import { findCheckpoint } from "../../commands/shared/load_sampler.ts";
import { firstImages } from "../../data/dataset.ts";
import { loadImages } from "../../data/registry.ts";
import { setVariantPolicy, variantPolicy } from "../../kernels/shared/variants.ts";
import { defineCommand, type OptionValues, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { BrowserPage, findChromium } from "./chromium.ts";
import {
  checkDrawing,
  checkTraining,
  type Finding,
  findingsTable,
  quietFindings,
} from "./checks.ts";
import { compareSpeed } from "./speed.ts";
import { DenoSide, PageSide } from "./sides.ts";
import { serveFolder } from "./static_server.ts";

/** Images that the page trains on. */
const IMAGES = 2048;
/** Milliseconds that the page may take for a batch of images, or the steps of a line. */
const PATIENCE = 600_000;

const command = defineCommand({
  name: "page-check",
  summary: "Check a page of a run in headless Chromium against Deno.",
  description:
    "Makes a page of the run, with weights as they are, and opens it. The images of its sampler, and " +
    "the losses of training by its config, must be Deno's; memory must not grow, nothing be asked of " +
    "another host, nothing be said on the console. Exit code 1 where something is not so. Times are " +
    "told, and not judged. Deno takes the adapter that it finds: VK_DRIVER_FILES may name Chromium's " +
    "own, vk_swiftshader_icd.json beside it, together with DIFFRACT_VARIANT=plain; DIFFRACT_CHROMIUM " +
    "names the browser.",
  argument: {
    name: "RUN_OR_FILE",
    description: "a run or checkpoint; the newest below runs/ if none",
  },
  options: {
    count: {
      value: "N",
      choices: ["1", "4", "9", "16", "25", "36"],
      default: "16",
      description: "images that both draw",
    },
    steps: {
      value: "N",
      parse: integer({ min: 10 }),
      default: 50,
      description: "steps whose losses are compared",
    },
    memorySteps: {
      value: "N",
      // Readings are every ten steps, the first fifth is left out, and a line wants three.
      parse: integer({ min: 40 }),
      default: 200,
      description: "steps of the page over which memory is watched",
    },
    turns: {
      value: "N",
      parse: integer({ min: 0 }),
      default: 5,
      description: "turns that page and Deno take to be timed",
    },
    onlySpeed: { description: "time them, and check nothing" },
  },
  examples: [
    { args: "runs/quickstart", does: "checks a page of a run" },
    { args: "runs/quickstart --only-speed --turns 9", does: "times it beside Deno" },
  ],
});

/** The page of a run, served. */
interface Subject {
  readonly program: string;
  readonly site: Site;
  readonly url: string;
}

/** Makes the page of a run and serves it. */
async function withSite(
  place: string | undefined,
  body: (subject: Subject) => Promise<Finding[]>,
): Promise<Finding[]> {
  const program = findChromium();
  if (program === null) {
    throw new UsageError(
      "Cannot check a page: Chromium must be on PATH or named by DIFFRACT_CHROMIUM; on Debian, " +
        "apt-get install chromium",
    );
  }
  const checkpoint = await findCheckpoint(place);
  const folder = await Deno.makeTempDir({ prefix: "diffract-page-check-" });
  try {
    const { config: text, path } = checkpoint;
    const out = join(folder, "page");
    const site = await makePage([checkpoint], {
      ...{ out, title: "Check", dtype: "F32", say: () => {} },
      training: { text, path, images: IMAGES, asked: true },
    });
    let findings: Finding[] = [];
    await serveFolder(out, async (url) => {
      findings = await body({ program, site, url });
    });
    return findings;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Opens the page, and looks at what it asked for and complained of in the end. */
async function withPage(
  { program, url }: Subject,
  interpreted: boolean,
  body: (page: BrowserPage, side: PageSide) => Promise<Finding[]>,
): Promise<Finding[]> {
  const look = { width: 1280, height: 900, scheme: "light" } as const;
  const page = await BrowserPage.open(program, url, look, { gpu: true, interpreted });
  try {
    const side = await PageSide.of(page, PATIENCE);
    console.log(
      `page      ${await page.evaluate("diffract.gpu.description")}, ${page.version}`,
    );
    return [...await body(page, side), ...quietFindings(page, url)];
  } finally {
    await page.close();
  }
}

/** Deno with the kernels that the page takes; and with those that were measured, where some were. */
async function denoSides({ site, url }: Subject): Promise<[DenoSide, ...DenoSide[]]> {
  const gpu = await openScriptGpu(), { table } = variantPolicy(gpu);
  console.log(`Deno      ${gpu.description}`);
  const all = await loadImages(site.training!.recipes[0]!.config.data, "train", () => {});
  const shared = [site, url, firstImages(all, site.training!.count)] as const;
  const forced = forcedFamily();
  setVariantPolicy(gpu, forced ? { forced } : {});
  const like = new DenoSide("Deno", gpu, ...shared);
  if (!table?.size) return [like];
  return [like, new DenoSide("Deno, as tuned", await openScriptGpu(), ...shared)];
}

async function check(
  subject: Subject,
  { count: images, steps, memorySteps, turns, onlySpeed }: OptionValues<typeof command.options>,
): Promise<Finding[]> {
  const count = Number(images), findings: Finding[] = [];
  const [deno, ...tuned] = await denoSides(subject);
  if (!onlySpeed) {
    findings.push(
      ...await withPage(subject, true, async (page, side) => {
        const drawing = await checkDrawing(side, deno, count);
        const training = { steps, memorySteps, memory: () => page.memory() };
        const report = await checkTraining(side, deno, training);
        for (const table of report.tables) console.log(table);
        return [...drawing, ...report.findings];
      }),
    );
  }
  if (turns > 0) {
    findings.push(
      ...await withPage(subject, false, async (_, side) => {
        const { sampler } = subject.site.models[0]!.diffusion;
        console.log(await compareSpeed([side, deno, ...tuned], { turns, count, sampler }));
        return [];
      }),
    );
  }
  return findings;
}

if (import.meta.main) {
  await runCommand(command, async ({ argument, options }) => {
    const findings = await withSite(argument, (subject) => check(subject, options));
    console.log(findingsTable(findings));
    return findings.every(({ holds }) => holds) ? 0 : 1;
  });
}
