/// <reference lib="dom" />
/**
 * Samples: those of the run that is looked at, large, with a slider over time; those of other runs
 * after as many steps beside it.
 *
 * @module
 */
import type { SamplePicture } from "../protocol.ts";
import { colourClass } from "../../../run_log/charts/plot.ts";
import { html, setAttributes, setChildren, setText } from "../../shared/dom.ts";
import { formatCount } from "./format.ts";
import type { Run } from "./model.ts";

/** Other runs whose samples are shown. */
const MOST_OTHERS = 11;
/** Milliseconds that a picture stays when all are played. */
const FRAME_MS = 450;

/** What the card shows. */
export interface SamplesView {
  readonly focus: Run;
  readonly others: readonly Run[];
  readonly colours: ReadonlyMap<string, number>;
  readonly empty: string;
}

/** The card; `element` goes into the page. */
export class SamplesCard {
  readonly element: HTMLElement;
  readonly #pick: (id: string) => void;
  readonly #about = html("p");
  readonly #image = html("img", { alt: "", decoding: "async", hidden: true });
  readonly #empty = html("p", { class: "empty" });
  readonly #slider = html("input", {
    type: "range",
    min: 0,
    max: 0,
    step: 1,
    "aria-label": "Samples after step",
  });
  readonly #play = html("button", { type: "button", class: "round" });
  readonly #step = html("output");
  readonly #others = html("ul", { class: "thumbs" });
  readonly #thumbs = new Map<string, Thumb>();
  #view: SamplesView | null = null;
  /** The place on the slider; null follows the newest. */
  #at: number | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param pick Gets a run whose samples were chosen. */
  constructor(pick: (id: string) => void) {
    this.#pick = pick;
    const controls = html("div", { class: "scrub" }, this.#play, this.#slider, this.#step);
    this.element = html(
      "section",
      { class: "card samples" },
      html("header", {}, html("h3", {}, "Samples"), this.#about),
      html("div", { class: "picture" }, this.#image, this.#empty),
      controls,
      this.#others,
    );
    this.#slider.addEventListener("input", () => {
      this.#stop();
      const at = Number(this.#slider.value);
      this.#at = at >= this.#pictures.length - 1 ? null : at;
      this.#draw();
    });
    this.#play.addEventListener(
      "click",
      () => this.#timer === undefined ? this.#start() : this.#stop(),
    );
    this.#stop();
  }

  /** Shows samples as they are now. */
  update(view: SamplesView): void {
    if (view.focus.id !== this.#view?.focus.id) this.#stop();
    this.#view = view;
    this.#draw();
  }

  get #pictures(): readonly SamplePicture[] {
    return this.#view?.focus.samples ?? [];
  }

  #draw(): void {
    const view = this.#view;
    if (!view) return;
    const pictures = this.#pictures, last = pictures.length - 1;
    const at = Math.min(this.#at ?? last, last);
    const picture = pictures[at];
    setText(this.#about, view.focus.info.name);
    setText(this.#empty, picture ? "" : view.empty);
    setAttributes(this.#slider, { max: Math.max(0, last), "aria-valuetext": stepText(picture) });
    this.#slider.value = `${Math.max(0, at)}`;
    this.#slider.disabled = this.#play.disabled = last < 1;
    setText(this.#step, picture ? stepText(picture) + (at === last ? " · newest" : "") : "");
    this.#image.hidden = !picture;
    if (picture) {
      show(this.#image, view.focus, picture);
      // The next one is there before it is wanted.
      const next = pictures[at + 1];
      if (next) new Image().src = address(view.focus, next);
    }
    this.#drawOthers(view, picture);
  }

  #drawOthers({ others, colours }: SamplesView, picture: SamplePicture | undefined): void {
    const thumbs = others.slice(0, MOST_OTHERS).flatMap((run) => {
      const own = pictureAt(run.samples, picture);
      if (!own) return [];
      let thumb = this.#thumbs.get(run.id);
      if (!thumb) this.#thumbs.set(run.id, thumb = new Thumb(run.id, this.#pick));
      thumb.update(run, own, colours.get(run.id) ?? 0);
      return [thumb.element];
    });
    setChildren(this.#others, thumbs);
    this.#others.hidden = thumbs.length === 0;
  }

  #start(): void {
    this.#at = this.#at === null || this.#at >= this.#pictures.length - 1 ? 0 : this.#at;
    this.#timer = setInterval(() => {
      this.#at = (this.#at ?? 0) + 1;
      if (this.#at >= this.#pictures.length - 1) {
        this.#at = null;
        this.#stop();
      }
      this.#draw();
    }, FRAME_MS);
    this.#label("Pause", "pause");
    this.#draw();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#label("Play all samples", "play");
  }

  #label(label: string, shape: string): void {
    setAttributes(this.#play, { "aria-label": label, title: label, "data-shape": shape });
  }
}

class Thumb {
  readonly element: HTMLElement;
  readonly #image = html("img", { alt: "", decoding: "async" });
  readonly #name = html("span");
  readonly #dot = html("i");

  constructor(id: string, pick: (id: string) => void) {
    const caption = html("span", { class: "caption" }, this.#dot, this.#name);
    const button = html("button", { type: "button" }, this.#image, caption);
    button.addEventListener("click", () => pick(id));
    this.element = html("li", {}, button);
  }

  update(run: Run, picture: SamplePicture, colour: number): void {
    setText(this.#name, run.info.name);
    this.#dot.className = `swatch ${colourClass(colour)}`;
    show(this.#image, run, picture);
  }
}

/** The newest picture that is no later than another run's. */
export function pictureAt(
  pictures: readonly SamplePicture[],
  other: SamplePicture | undefined,
): SamplePicture | undefined {
  const limit = other?.step ?? Infinity;
  return pictures.findLast(({ step }) => (step ?? Infinity) <= limit);
}

function address({ id }: Run, { file, version }: SamplePicture): string {
  return `samples/${id}/${file}?${version}`;
}

function show(image: HTMLImageElement, run: Run, picture: SamplePicture): void {
  const src = address(run, picture);
  if (image.getAttribute("src") === src) return;
  setAttributes(image, { src, alt: `Samples of ${run.info.name}, ${stepText(picture)}` });
}

function stepText(picture: SamplePicture | undefined): string {
  if (!picture) return "none yet";
  return picture.step === null ? "final samples" : `step ${formatCount(picture.step)}`;
}
