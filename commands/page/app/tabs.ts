/// <reference lib="dom" />
/**
 * Tabs, by pointer and by arrow keys; the address remembers which is open.
 *
 * @module
 */
import { byId } from "../../shared/dom.ts";

/** What is pressed to go from a tab to its neighbour. */
const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };

/** The page's tabs; those that are not added stay hidden. */
export class Tabs {
  readonly #names: string[] = [];

  /** Shows a tab: of the button `tab-NAME` and the panel that it controls. */
  add(name: string): void {
    this.#names.push(name);
    const button = byId(`tab-${name}`);
    button.hidden = false;
    button.addEventListener("click", () => this.open(name));
    button.addEventListener("keydown", ({ key }) => {
      const step = STEPS[key];
      if (step === undefined) return;
      const { length } = this.#names;
      const next = this.#names[(this.#names.indexOf(name) + step + length) % length]!;
      this.open(next);
      byId(`tab-${next}`).focus();
    });
  }

  /** Opens a tab; that of the address, or the first, unless given. */
  open(wanted = location.hash.slice(1)): void {
    const name = this.#names.includes(wanted) ? wanted : this.#names[0];
    for (const other of this.#names) {
      const selected = other === name, button = byId(`tab-${other}`);
      button.setAttribute("aria-selected", String(selected));
      button.tabIndex = selected ? 0 : -1;
      byId(button.getAttribute("aria-controls")!).hidden = !selected;
    }
    if (name !== undefined) history.replaceState(null, "", `#${name}`);
  }
}
