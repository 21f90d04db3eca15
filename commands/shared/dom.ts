/// <reference lib="dom" />
/**
 * Makes elements. Text only ever becomes a text node or an attribute's value, so nothing that a log
 * says can become markup.
 *
 * @module
 */
import type { Shape } from "../../run_log/charts/shapes.ts";

/** Values of attributes; false and undefined ones are left out, true ones are empty. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

const SVG = "http://www.w3.org/2000/svg";

function fill<E extends Element>(
  element: E,
  attributes: Attributes,
  children: (Node | string)[],
): E {
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/** An element of HTML. */
export function html<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(name), attributes, children);
}

/** An element of SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** An element of a shape. */
export function drawn({ name, attributes, children }: Shape): SVGElement {
  const element = document.createElementNS(SVG, name) as SVGElement;
  setPaint(element, attributes);
  element.append(...children.map((child) => typeof child === "string" ? child : drawn(child)));
  return element;
}

/** Sets attributes of a shape; those that begin with "--" are properties of its style. */
export function setPaint(element: HTMLElement | SVGElement, attributes: Shape["attributes"]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("--")) element.style.setProperty(name, String(value));
    else setAttributes(element, { [name]: value });
  }
}

/** Sets attributes; false and undefined ones are removed. */
export function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Sets an element's text where it is another. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes `elements` the children of `parent`, moving as few as that takes: focus stays. */
export function setChildren(parent: Element, elements: readonly Element[]): void {
  const wanted = new Set<Element>(elements);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  elements.forEach((element, i) => {
    if (parent.children[i] !== element) parent.insertBefore(element, parent.children[i] ?? null);
  });
}

/** The element of the page with this id. */
export function byId<E extends Element = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`Cannot find #${id}: the page must have it`);
  return element as unknown as E;
}
