/**
 * The examination of `deno task doctor`, and how it is printed.
 *
 * Everything that loads a driver runs in processes of its own, see run_probe.ts: this one has
 * an answer whatever they do.
 *
 * @module
 */
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../config/load.ts";
import { datasetCache } from "../../data/fetching/cache.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { examineDataSets } from "./data_sets.ts";
import {
  type Area,
  AREAS,
  type Finding,
  formatArea,
  formatVerdict,
  trainingWorks,
} from "./finding.ts";
import {
  examineCacheContents,
  examineDeno,
  examineFolder,
  examineMemory,
  pinnedDeno,
} from "./machine.ts";
import { runProbe } from "./run_probe.ts";
import { examineBackend, examineCards, examineManifests, INSTALL_VULKAN } from "./vulkan.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const CONFIGS = ["smoke", "quickstart", "cifar10"].map((name) => `${ROOT}config/${name}.json`);

const command = defineCommand({
  name: "doctor",
  summary: "Report what works on this machine, what does not, and how to fix it.",
  description: "Looks at Deno, Vulkan, the adapter and its limits, checks numbers, trains a tiny " +
    "network, and looks at disk and data. Nothing is installed or fetched. Exit code 0 when " +
    "training works, else 1; 2 when the config that is named is none.",
  options: {
    config: { value: "FILE", description: "whether this config fits, too" },
    json: { description: "print one JSON object instead of text" },
  },
  examples: [
    { args: "", does: "examines the machine; seconds" },
    { args: "--config my.json", does: "tells what my.json needs, and by which option it fits" },
    { args: "--json > doctor.json", does: "keeps the answer, to be sent along with a question" },
  ],
});

/** The examination, area by area; each finding as it is made. */
export async function* examine(config?: string): AsyncGenerator<Finding> {
  const env = (name: string) => Deno.env.get(name);
  yield examineDeno(Deno.version.deno, await pinnedDeno(ROOT));
  yield examineMemory(Deno.systemMemoryInfo());
  let vulkan = true;
  if (Deno.build.os === "linux") {
    for await (const finding of examineVulkan(env)) {
      vulkan &&= finding.status !== "fail";
      yield finding;
    }
  }
  const configs = [...CONFIGS, ...(config === undefined ? [] : [config])]
    .map((path) => relative(Deno.cwd(), resolve(path)));
  const remedy = vulkan
    ? "update the driver, or use Mesa's CPU driver: VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"
    : "see Vulkan above";
  yield* runProbe({ args: ["gpu", ...configs], area: "gpu", remedy });
  yield* examineStorage();
}

async function* examineVulkan(env: (name: string) => string | undefined) {
  yield* examineBackend({ env });
  yield* await examineManifests({ env });
  const kinds: unknown[] = [];
  for await (
    const finding of runProbe({ args: ["vulkan"], area: "vulkan", remedy: INSTALL_VULKAN })
  ) {
    if (finding.name === "device") kinds.push(finding.data?.kind);
    yield finding;
  }
  yield* await examineCards(kinds);
}

async function* examineStorage(): AsyncGenerator<Finding> {
  yield await examineFolder("runs", resolve("runs"), "choose another place by --run.dir=FOLDER");
  let sets: string;
  try {
    sets = datasetCache();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const remedy = "set DIFFRACT_CACHE to a folder that can be written";
    yield { area: "storage", name: "cache", status: "warn", text, remedy };
    return;
  }
  const cache = dirname(sets);
  yield await examineFolder("cache", cache, "choose another place by DIFFRACT_CACHE=FOLDER");
  yield* await examineCacheContents(cache);
  yield* await examineDataSets(sets);
}

async function doctor(config: string | undefined, json: boolean): Promise<number> {
  // What is wrong with a config that a person names is no finding about the machine.
  if (config !== undefined) await loadConfig(config);
  const findings: Finding[] = [];
  let shown = 0;
  const show = (until: Area | undefined) => {
    const end = until === undefined ? AREAS.length : AREAS.indexOf(until);
    for (; shown < end; shown++) {
      for (const line of formatArea(AREAS[shown]!, findings)) console.log(line);
    }
  };
  for await (const finding of examine(config)) {
    findings.push(finding);
    // What was found so far stands on the screen while the rest takes its time.
    if (!json && finding.area !== "configs") show(earliest(finding.area));
  }
  const works = trainingWorks(findings);
  if (json) {
    const { deno, v8, typescript } = Deno.version;
    const { os, arch } = Deno.build;
    console.log(JSON.stringify({ works, deno, v8, typescript, os, arch, findings }, null, 2));
  } else {
    show(undefined);
    console.log(formatVerdict(findings));
  }
  return works ? 0 : 1;
}

/** The first area that may still get findings: those of the GPU's probe come mixed. */
function earliest(area: Area): Area {
  return area === "training" || area === "configs" ? "gpu" : area;
}

/** The whole command. */
export async function runDoctor(): Promise<void> {
  await runCommand(command, ({ options }) => doctor(options.config, options.json));
}
