/**
 * All runs that the dashboard shows: finds them, looks at them, and tells whoever listens.
 *
 * @module
 */
import { resolve } from "node:path";
import { commonFolder, findRuns, groupName, runId, runName } from "../../run_log/find_runs.ts";
import type { DashboardMessage, RunUpdate } from "./protocol.ts";
import { WatchedRun } from "./watched_run.ts";

/** Looks between two searches for new runs. */
const LOOKS_A_SEARCH = 3;
/** Messages that a listener may be behind before it has to begin anew. */
const MOST_BEHIND = 64;
/** Looks after which a listener gets a sign of life. */
const LOOKS_A_SIGN = 15;

type Listener = ReadableStreamDefaultController<Uint8Array>;

/** Choices of a {@linkcode RunWatch}. */
export interface WatchOptions {
  /** Milliseconds between two looks. Default 1000. */
  readonly everyMs?: number;
  /** Gets what goes wrong with a look; the next one is tried all the same. */
  readonly complain: (error: unknown) => void;
}

/** Looks at runs while somebody listens. */
export class RunWatch {
  readonly #runs = new Map<string, WatchedRun>();
  readonly #listeners = new Set<Listener>();
  /** Those that have heard nothing yet. */
  readonly #newcomers = new Set<Listener>();
  #order: readonly string[] = [];
  #looks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | null = null;
  #closed = false;

  /** @param paths Folders of runs, or of folders of runs; they need not exist yet. */
  constructor(private readonly paths: readonly string[], private readonly options: WatchOptions) {}

  /** Runs that were found by the last look. */
  get size(): number {
    return this.#runs.size;
  }

  /** Looks once, also when nobody listens. */
  async look(): Promise<void> {
    const message = await this.#round();
    if (message) this.#tell(message);
    for (const listener of this.#newcomers) this.#send(listener, this.#whole());
    for (const listener of this.#newcomers) this.#listeners.add(listener);
    this.#newcomers.clear();
    if (++this.#looks % LOOKS_A_SIGN === 0) {
      for (const listener of this.#listeners) this.#write(listener, ":\n\n");
    }
  }

  /** A stream of server-sent events: the state of all runs, then what changes. */
  listen(): ReadableStream<Uint8Array> {
    let own: Listener;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        this.#newcomers.add(controller);
        this.#soon(0);
      },
      cancel: () => this.#drop(own),
    }, { highWaterMark: MOST_BEHIND });
  }

  /** The path of a picture of a run; null where there is no such run or name. */
  picturePath(id: string, file: string): string | null {
    return this.#runs.get(id)?.picturePath(file) ?? null;
  }

  /** The folder of a run. */
  runFolder(id: string): string | null {
    return this.#runs.get(id)?.dir ?? null;
  }

  /** Ends all streams and looks no more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    for (const listener of [...this.#listeners, ...this.#newcomers]) {
      this.#drop(listener);
      listener.close();
    }
  }

  /** Looks again after a while, unless that is due already. */
  #soon(ms: number): void {
    if (this.#closed || this.#looking) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#turn(), ms);
  }

  #turn(): void {
    this.#looking = this.look().catch(this.options.complain).then(() => {
      this.#looking = null;
      const waiting = this.#newcomers.size > 0;
      if (waiting || this.#listeners.size > 0) {
        this.#soon(waiting ? 0 : this.options.everyMs ?? 1000);
      }
    });
  }

  /** Searches and looks; what is new, null where nothing is. */
  async #round(): Promise<DashboardMessage | null> {
    const gone = this.#looks % LOOKS_A_SEARCH === 0 || this.#runs.size === 0
      ? await this.#search()
      : [];
    for (const run of this.#runs.values()) await run.look();
    // Nothing is awaited from here on, so that listeners hear of each change once.
    const runs = [...this.#runs.values()].flatMap((run) => run.news() ?? []);
    const ids = [...this.#runs.keys()];
    const moved = ids.join() !== this.#order.join();
    this.#order = ids;
    if (runs.length === 0 && gone.length === 0 && !moved) return null;
    return {
      ...this.#head(),
      runs,
      ...(gone.length > 0 ? { gone } : {}),
      ...(moved ? { order: ids } : {}),
    };
  }

  async #search(): Promise<string[]> {
    const dirs = await findRuns(this.paths);
    const folder = commonFolder(dirs);
    const before = new Map(this.#runs);
    this.#runs.clear();
    for (const dir of dirs) {
      const id = await runId(dir);
      const run = before.get(id) ?? new WatchedRun(id, dir);
      run.name = runName(dir, folder);
      run.group = groupName(run.name);
      this.#runs.set(id, run);
    }
    return [...before.keys()].filter((id) => !this.#runs.has(id));
  }

  #head(): Pick<DashboardMessage, "now" | "title"> {
    const dirs = [...this.#runs.values()].map(({ dir }) => dir);
    const title = dirs.length > 0
      ? commonFolder(dirs)
      : this.paths.map((p) => resolve(p)).join(", ");
    return { now: Date.now(), title };
  }

  #whole(): DashboardMessage {
    const runs: RunUpdate[] = [...this.#runs.values()].map((run) => run.whole());
    return { ...this.#head(), fresh: true, runs, order: this.#order };
  }

  #tell(message: DashboardMessage): void {
    for (const listener of this.#listeners) this.#send(listener, message);
  }

  #send(listener: Listener, message: DashboardMessage): void {
    this.#write(listener, `data: ${JSON.stringify(message)}\n\n`);
  }

  #write(listener: Listener, text: string): void {
    if ((listener.desiredSize ?? 0) <= 0) {
      // Its page is asleep; it asks again when it wakes.
      this.#drop(listener);
      listener.close();
      return;
    }
    listener.enqueue(new TextEncoder().encode(text));
  }

  #drop(listener: Listener): void {
    this.#listeners.delete(listener);
    this.#newcomers.delete(listener);
  }
}
