/**
 * One run as the dashboard sees it: looks at its files, and knows what has changed since the last look.
 *
 * @module
 */
import { join } from "node:path";
import { dottedEntries, isSection } from "../../config/keys.ts";
import { runFolder } from "../../training/run_folder.ts";
import { ifThere } from "../../support/absence.ts";
import { CondensedLog } from "./condense.ts";
import { LineTail } from "./line_tail.ts";
import type { RunInfo, RunUpdate, SamplePicture } from "./protocol.ts";

/** Looks that a run's pace is the mean of. */
const PACE_LOOKS = 30;
/** Names of pictures: what the page may ask for. */
const PICTURE_NAME = /^(?:step-(\d+)|final)\.png$/;

type Config = RunUpdate["config"];

/** A run's folder, and what was found in it. */
export class WatchedRun {
  /** What the run is called, and its group; given by the one who knows the other runs. */
  name = "";
  group = "";
  #files: ReturnType<typeof logFiles>;
  #log = new CondensedLog();
  #config: Config = null;
  #samples: readonly SamplePicture[] = [];
  #updated: number | null = null;
  /** Steps and the times when the log said so, of the last looks. */
  #pace: { step: number; time: number }[] = [];
  /** What told versions of files apart at the last look. */
  #versions = new Map<string, string>();
  #changed = { config: false, samples: false, reset: false };
  #toldInfo = "";

  constructor(readonly id: string, readonly dir: string) {
    this.#files = logFiles(dir);
  }

  /** Looks at the run's files. */
  async look(): Promise<void> {
    await this.#lookAtLogs();
    await this.#lookAtConfig();
    await this.#lookAtSamples();
    await this.#lookAtFinal();
  }

  /** What has changed since the last call; null where nothing has. */
  news(): RunUpdate | null {
    const { config, samples, reset } = this.#changed;
    this.#changed = { config: false, samples: false, reset: false };
    const info = this.#info(), text = JSON.stringify(info);
    const update: RunUpdate = {
      id: this.id,
      ...(reset ? { reset } : {}),
      ...(text === this.#toldInfo ? {} : { info }),
      ...(config ? { config: this.#config ?? null } : {}),
      ...(samples ? { samples: this.#samples } : {}),
      ...this.#log.news(),
    };
    this.#toldInfo = text;
    return Object.keys(update).length > 1 ? update : null;
  }

  /** Everything. */
  whole(): RunUpdate {
    return {
      ...{ id: this.id, info: this.#info(), config: this.#config ?? null },
      ...{ samples: this.#samples, ...this.#log.whole() },
    };
  }

  /** The path of a picture that the page may ask for; null for any other name. */
  picturePath(file: string): string | null {
    return PICTURE_NAME.test(file) ? join(runFolder(this.dir).samples, file) : null;
  }

  #info(): RunInfo {
    const { name, group, dir: path } = this;
    const steps = this.#config?.["train.steps"];
    return {
      ...{ name, group, path, step: this.#log.step, updated: this.#updated },
      steps: typeof steps === "number" ? steps : null,
      secondsAStep: this.#secondsAStep(),
      unread: this.#log.unread,
    };
  }

  /** As watched; before that, as the log has it. */
  #secondsAStep(): number | null {
    const first = this.#pace[0], last = this.#pace.at(-1);
    if (first && last && last.step > first.step && last.time > first.time) {
      return (last.time - first.time) / 1000 / (last.step - first.step);
    }
    const batchSize = this.#config?.["train.batchSize"];
    const rate = this.#log.last("imagesPerSecond");
    return typeof batchSize === "number" && rate ? batchSize / rate : null;
  }

  async #lookAtLogs(): Promise<void> {
    for (let again = true; again;) {
      const news = await this.#files.log.read(), scores = await this.#files.evaluations.read();
      if (news.reset || scores.reset) {
        this.#forget();
        continue;
      }
      for (const line of news.lines) this.#log.add(line);
      for (const line of scores.lines) this.#log.addEvaluation(line);
      this.#updated = news.changed;
      again = news.more || scores.more;
    }
    const { step } = this.#log;
    if (this.#updated !== null && step > (this.#pace.at(-1)?.step ?? 0)) {
      this.#pace = [...this.#pace, { step, time: this.#updated }].slice(-PACE_LOOKS);
    }
  }

  /** Begins anew: what a log said no longer counts once it was cut. */
  #forget(): void {
    this.#files = logFiles(this.dir);
    this.#log = new CondensedLog();
    this.#pace = [];
    this.#versions.delete("final");
    this.#changed.reset = true;
  }

  async #lookAtConfig(): Promise<void> {
    const path = runFolder(this.dir).config;
    if (!await this.#hasChanged("config", path)) return;
    this.#config = parseConfig(await textOf(path));
    this.#changed.config = true;
  }

  async #lookAtSamples(): Promise<void> {
    const folder = runFolder(this.dir).samples;
    if (!await this.#hasChanged("samples", folder)) return;
    const pictures: SamplePicture[] = [];
    for (const { name } of await ifThere(() => Array.fromAsync(Deno.readDir(folder))) ?? []) {
      const match = PICTURE_NAME.exec(name);
      const version = match && await versionOf(join(folder, name));
      if (!match || version === null) continue;
      pictures.push({
        step: match[1] === undefined ? null : Number(match[1]),
        file: name,
        version,
      });
    }
    this.#samples = pictures.sort((a, b) => (a.step ?? Infinity) - (b.step ?? Infinity));
    this.#changed.samples = true;
  }

  async #lookAtFinal(): Promise<void> {
    const path = join(runFolder(this.dir).samples, "final.json");
    if (!await this.#hasChanged("final", path)) return;
    const text = await textOf(path);
    if (text !== null) this.#log.addFinal(text);
  }

  /** Whether a file or folder is another than at the last look, which this one is from now on. */
  async #hasChanged(what: string, path: string): Promise<boolean> {
    const version = await versionOf(path) ?? "none";
    const changed = version !== (this.#versions.get(what) ?? "none");
    this.#versions.set(what, version);
    return changed;
  }
}

function logFiles(dir: string) {
  return {
    log: new LineTail(runFolder(dir).log),
    evaluations: new LineTail(join(dir, "eval.jsonl")),
  };
}

async function versionOf(path: string): Promise<string | null> {
  const stat = await ifThere(() => Deno.stat(path));
  if (!stat) return null;
  return [stat.mtime?.getTime() ?? 0, stat.size, stat.ino ?? 0]
    .map((part) => part.toString(36)).join("-");
}

function textOf(path: string): Promise<string | null> {
  return ifThere(() => Deno.readTextFile(path));
}

/** Dotted keys and values; null for what is no config. */
function parseConfig(text: string | null): Config {
  try {
    const tree = JSON.parse(text ?? "null");
    if (!isSection(tree)) return null;
    return Object.fromEntries(
      [...dottedEntries(tree)].filter(([key, value]) => !isSection(value) && key !== "$schema"),
    );
  } catch {
    return null;
  }
}
