/// <reference lib="dom" />
/**
 * The page: listens to the server, and draws what it knows.
 *
 * @module
 */
import type { DashboardMessage } from "../protocol.ts";
import { Charts } from "./charts.ts";
import { ConfigCard } from "./config_table.ts";
import { byId, html, setAttributes, setText } from "../../shared/dom.ts";
import { Model, type Run, stateOf } from "./model.ts";
import { RunList } from "./run_list.ts";
import { SamplesCard } from "./samples.ts";
import { loadSettings, saveSettings, type Settings } from "./settings.ts";
import { expected, Summary } from "./summary.ts";

/** Of more runs only the ones that changed last are shown at first. */
const MOST_AT_FIRST = 16;

class Page {
  readonly #model = new Model();
  readonly #settings: Settings = loadSettings();
  readonly #shown = new Set<string>();
  /** Runs that were there before: a new one is shown. */
  readonly #known = new Set<string>();
  /** The run that a person chose to look at; null follows the one that is running. */
  #picked: string | null = null;
  #range: [number, number] | null = null;
  /** Places of colours by group, and by run. */
  readonly #places = { groups: new Map<string, number>(), runs: new Map<string, number>() };
  #drawing = 0;
  /** The run that was looked at when everything was drawn last. */
  #drawn: Run | null = null;
  readonly #list = new RunList({
    toggle: (ids, shown) => {
      for (const id of ids) shown ? this.#shown.add(id) : this.#shown.delete(id);
      this.#draw();
    },
    focus: (id) => {
      this.#picked = id;
      this.#shown.add(id);
      this.#draw();
    },
  });
  readonly #summary = new Summary();
  readonly #samples = new SamplesCard((id) => {
    this.#picked = id;
    this.#draw();
  });
  readonly #charts = new Charts((range) => {
    this.#range = range;
    this.#draw();
  });
  readonly #config = new ConfigCard();

  start(): void {
    this.#build();
    this.#bindControls();
    const source = new EventSource("events");
    const connection = byId("connection");
    const say = (state: string, text: string) => {
      connection.dataset.state = state;
      setText(connection, text);
    };
    source.onopen = () => say("live", "Live");
    source.onerror = () => say("lost", "Reconnecting");
    source.onmessage = ({ data }) => {
      this.#take(JSON.parse(data));
      this.#draw();
    };
    // Times go on also when nothing else does.
    setInterval(() => this.#drawTimes(), 1000);
  }

  #build(): void {
    const { loss, judged, spectra, bands, others, optimiser } = this.#charts.elements;
    const row = (name: string, ...elements: Element[]) =>
      html("div", { class: `grid ${name}` }, ...elements);
    byId("side").append(this.#list.element);
    byId("summary").append(this.#summary.element);
    byId("charts").append(
      row("top", loss, this.#samples.element),
      row("thirds", ...judged),
      row("bands", ...bands),
      row("halves", ...spectra),
      others,
      row("halves", ...optimiser),
      this.#config.element,
    );
  }

  #bindControls(): void {
    const settings = this.#settings;
    const apply = () => {
      saveSettings(settings);
      this.#draw();
    };
    const smoothing = byId<HTMLInputElement>("smoothing");
    smoothing.value = `${settings.smoothing}`;
    smoothing.addEventListener("input", () => {
      settings.smoothing = Number(smoothing.value);
      apply();
    });
    for (
      const [id, key] of [
        ["log-steps", "logSteps"],
        ["log-values", "logValues"],
        ["grouped", "grouped"],
      ] as const
    ) {
      const box = byId<HTMLInputElement>(id);
      box.checked = settings[key];
      box.addEventListener("change", () => {
        settings[key] = box.checked;
        apply();
      });
    }
    byId("reset-range").addEventListener("click", () => {
      this.#range = null;
      this.#draw();
    });
    const theme = byId("theme");
    theme.addEventListener("click", () => {
      settings.theme = ({ auto: "light", light: "dark", dark: "auto" } as const)[settings.theme];
      apply();
    });
  }

  #take(message: DashboardMessage): void {
    this.#model.apply(message);
    const runs = this.#model.list;
    const fresh = runs.filter(({ id }) => !this.#known.has(id));
    const atFirst = this.#known.size === 0 && fresh.length > MOST_AT_FIRST
      ? fresh.toSorted((a, b) => (b.info.updated ?? 0) - (a.info.updated ?? 0))
        .slice(0, MOST_AT_FIRST)
      : fresh;
    for (const { id } of atFirst) this.#shown.add(id);
    for (const { id } of fresh) this.#known.add(id);
    for (const id of this.#shown) if (!this.#model.runs.has(id)) this.#shown.delete(id);
  }

  /** The run that is looked at: the chosen one, else one that is running, else the last to change. */
  #focus(): Run | null {
    const picked = this.#model.runs.get(this.#picked ?? "");
    if (picked) return picked;
    const now = this.#model.now();
    const byTime = this.#model.list
      .toSorted((a, b) => (b.info.updated ?? 0) - (a.info.updated ?? 0));
    return byTime.find((run) => stateOf(run, now) === "running") ?? byTime[0] ?? null;
  }

  /**
   * One colour a group where seeds are one line, else one a run; in the order in which they came, so
   * that a new run changes no other's.
   */
  #colours(): Map<string, number> {
    const { grouped } = this.#settings;
    const places = this.#places[grouped ? "groups" : "runs"];
    return new Map(this.#model.list.map(({ id, info: { group } }) => {
      const key = grouped ? group : id;
      if (!places.has(key)) places.set(key, places.size);
      return [id, places.get(key)!];
    }));
  }

  /** Draws once before the next frame, however often it is asked to. */
  #draw(): void {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow(): void {
    const { list, title } = this.#model;
    const focus = this.#focus(), colours = this.#colours();
    const runs = list.filter(({ id }) => this.#shown.has(id));
    this.#drawControls(list);
    setText(byId("title"), title);
    byId("waiting").hidden = focus !== null;
    byId("content").hidden = focus === null;
    this.#drawn = focus;
    this.#drawTimes();
    if (!focus) return;
    document.title = `${focus.info.name} · step ${focus.info.step} · Diffract`;
    const others = runs.filter(({ id }) => id !== focus.id);
    const first = expected(focus, "train.sampleEvery");
    const empty = first === "" ? "No samples yet" : `Samples: ${first}`;
    this.#samples.update({ focus, others, colours, empty });
    this.#charts.update({ runs, focus, colours, settings: this.#settings, range: this.#range });
    this.#config.update(runs.includes(focus) ? runs : [focus, ...runs], colours);
  }

  /** Draws what the clock alone changes. */
  #drawTimes(): void {
    const { list: runs } = this.#model;
    const now = this.#model.now(), focus = this.#focus(), colours = this.#colours();
    // A run that has fallen quiet may make room for another.
    if (focus !== this.#drawn) this.#draw();
    const id = focus?.id ?? null;
    this.#list.update({ runs, shown: this.#shown, now, colours, focus: id });
    if (focus) this.#summary.update(focus, colours.get(focus.id) ?? 0, now);
  }

  #drawControls(list: readonly Run[]): void {
    const { smoothing, theme } = this.#settings;
    setText(byId("smoothing-value"), smoothing.toFixed(2));
    const seeds = new Set(list.map(({ info }) => info.group)).size < list.length;
    byId("grouped-switch").hidden = !seeds;
    byId<HTMLButtonElement>("reset-range").disabled = this.#range === null;
    document.documentElement.dataset.theme = theme;
    const label = `Colours: ${theme === "auto" ? "as the system" : theme}`;
    setAttributes(byId("theme"), { "aria-label": label, title: label, "data-theme": theme });
  }
}

new Page().start();
