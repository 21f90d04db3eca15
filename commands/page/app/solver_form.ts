/// <reference lib="dom" />
/**
 * The choice of a solver: its name, its steps and every option of its own that is a number, a choice or a
 * switch, made from what the solvers say of themselves.
 *
 * @module
 */
import type { SamplerName, SamplerOptions } from "../../../diffusion/options.ts";
import { SAMPLER_DEFAULTS, SAMPLER_NAMES, SAMPLERS } from "../../../diffusion/samplers/registry.ts";
import type { AnyRule, Field } from "../../../support/options.ts";
import { html, setText } from "../../shared/dom.ts";

/** Most used options, which are always to be seen. */
const FIRST: readonly string[] = ["eta"];

/** An option and how its value is read from the form. */
interface Entry {
  readonly key: string;
  readonly element: HTMLElement;
  readonly read: () => unknown;
}

/** Fields of a solver; put `element` into a form. */
export class SolverForm {
  readonly element: HTMLElement;
  readonly #name = html("select", { "aria-label": "Solver" });
  readonly #steps = html("input", { type: "number", min: 1, "aria-label": "Steps" });
  readonly #about = html("p", { class: "hint" });
  readonly #first = html("div", { class: "fields" });
  readonly #more = html("div", { class: "fields" });
  readonly #details = html("details", {}, html("summary", {}, "More options"), this.#more);
  #entries: readonly Entry[] = [];

  /** @param names Solvers that there are; all unless given. */
  constructor(names: readonly SamplerName[] = SAMPLER_NAMES) {
    this.#name.append(...names.map((name) => html("option", { value: name }, name)));
    this.#name.addEventListener("change", () => {
      this.#steps.value = String(SAMPLERS[this.name].steps ?? "");
      this.#fill(SAMPLER_DEFAULTS);
    });
    this.element = html(
      "div",
      { class: "fields" },
      labelled("Solver", this.#name),
      this.#about,
      labelled("Steps", this.#steps),
      this.#first,
      this.#details,
    );
  }

  get name(): SamplerName {
    return this.#name.value as SamplerName;
  }

  /** Shows a config's sampler, or the first solver where it is none of those that there are. */
  show(options: SamplerOptions, timesteps: number): void {
    this.#name.value = options.name;
    const known = this.#name.value === options.name;
    if (!known) this.#name.selectedIndex = 0;
    this.#steps.max = String(timesteps);
    this.#steps.value = String((known ? options.steps : SAMPLERS[this.name].steps) ?? "");
    this.#fill({ ...SAMPLER_DEFAULTS, ...options });
  }

  /** What is chosen. */
  get value(): SamplerOptions {
    const own = Object.fromEntries(this.#entries.map(({ key, read }) => [key, read()]));
    const steps = this.#steps.value === "" ? null : Number(this.#steps.value);
    return { name: this.name, steps, ...own } as SamplerOptions;
  }

  #fill(values: Readonly<Record<string, unknown>>): void {
    const { description, options } = SAMPLERS[this.name];
    setText(this.#about, `It ${description}.`.replace(/^It may/, "May"));
    this.#steps.placeholder = "all timesteps";
    this.#entries = Object.entries(options).flatMap(([key, field]) =>
      entryOf(key, field, values[key]) ?? []
    );
    const elements = (first: boolean) =>
      this.#entries.filter(({ key }) => FIRST.includes(key) === first).map(({ element }) =>
        element
      );
    this.#first.replaceChildren(...elements(true));
    this.#more.replaceChildren(...elements(false));
    this.#details.hidden = this.#more.childElementCount === 0;
  }
}

/** An input with its name. */
export function labelled(name: string, input: HTMLElement, title = ""): HTMLElement {
  return html("label", { title }, html("span", {}, name), input);
}

/** A field for an option; null for those that have none. */
function entryOf(key: string, field: Field, value: unknown): Entry | null {
  if (field.kind !== "option") return null;
  const rule: AnyRule = field.rule, name = wordsOf(key);
  if (rule.kind === "flag") {
    const input = html("input", { type: "checkbox" });
    input.checked = value === true;
    const element = html("label", { class: "switch", title: field.about }, input, name);
    return { key, element, read: () => input.checked };
  }
  if (rule.kind === "choice") {
    const input = html("select");
    input.append(...rule.values.map((one) => html("option", {}, String(one))));
    input.value = String(value);
    const read = () => rule.values[input.selectedIndex];
    return { key, element: labelled(name, input, field.about), read };
  }
  if (rule.kind !== "number") return null;
  const { min, max } = rule.limits;
  const bounded = !rule.whole && min !== undefined && max !== undefined;
  const input = html("input", {
    ...{ type: bounded ? "range" : "number", min, max },
    step: bounded ? (max - min) / 100 : rule.whole ? 1 : "any",
  });
  input.value = String(value);
  const told = html("output", {}, input.value);
  input.addEventListener("input", () => setText(told, input.value));
  const element = labelled(name, input, field.about);
  if (bounded) element.append(told);
  return { key, element, read: () => Number(input.value) };
}

/** "noiseOfClipped" as "noise of clipped". */
function wordsOf(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
