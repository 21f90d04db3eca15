/**
 * Kernels over tensors that are stored in half precision. A kernel is written once, over f32; of the
 * tensors that it is given some may be f16, and its text then loads them as f32 and rounds what it
 * stores to them (to nearest, past 65504 to infinity). Everything in between stays f32: sums, statistics
 * and what is kept in workgroup memory.
 *
 * For that a kernel's text names a binding only to take an element of it: `x[i]`, `x[i].w`, `x[i][k]`,
 * each also on the left of `=`, `+=`, `-=`, `*=` and `/=`. What it reads from a texture, as `x_at(i)`,
 * is f32 whatever is in there.
 *
 * @module
 */
import { elementOf, partsOf, type Width } from "./element.ts";
import type { BindingSpec, Kernel } from "./kernel.ts";

/**
 * The kernel for tensors of which some are f16.
 *
 * @param half Names of their bindings.
 * @throws {TypeError} When such a binding is not of f32 in the kernel, or its text names it otherwise.
 */
export function withHalves(kernel: Kernel, half: ReadonlySet<string>): Kernel {
  if (half.size === 0) return kernel;
  const widths = new Map<string, Width>();
  const bindings: Record<string, BindingSpec> = {};
  for (const [name, spec] of Object.entries<BindingSpec>(kernel.bindings)) {
    bindings[name] = spec;
    if (!half.has(name)) continue;
    const { dtype, width } = partsOf(spec.type);
    if (dtype !== "f32") fail(kernel, name, `must be ${dtype}, got f16`);
    if (new RegExp(`\\b(let|var|const)\\s+${name}\\b`).test(kernel.wgsl)) {
      fail(kernel, name, "must be f32, as a variable has its name");
    }
    // What is read from a texture comes out of it as f32.
    if (!spec.textured) widths.set(name, width);
    bindings[name] = { ...spec, type: elementOf("f16", width) };
  }
  const wgsl = adapt(kernel.wgsl.replaceAll(/\/\/.*$/gm, ""), widths);
  return { ...kernel, name: nameOf(kernel, half), bindings, wgsl };
}

function fail({ name }: Kernel, binding: string, what: string): never {
  throw new TypeError(`Cannot use kernel ${name} with halves: ${binding} ${what}`);
}

/** `.f16`, or `.mixed` where some of its floats are no halves. */
function nameOf({ name, bindings }: Kernel, half: ReadonlySet<string>): string {
  const floats = Object.keys(bindings).filter((key) =>
    partsOf(bindings[key]!.type).dtype === "f32"
  );
  return `${name}.${floats.length === half.size ? "f16" : "mixed"}`;
}

/** An access to an array, up to its index; a member of the same name is none. */
const ACCESS = /(?<![\w.])([A-Za-z_]\w*)\[/g;

/** What comes behind the element that is assigned to. */
const ASSIGNMENT = /\s*([-+*\/]?)=(?!=)/y;

/** WGSL with loads widened and stores narrowed. */
function adapt(text: string, widths: ReadonlyMap<string, Width>): string {
  let result = "", from = 0;
  for (const { 0: { length }, 1: name = "", index } of text.matchAll(ACCESS)) {
    const width = widths.get(name);
    if (width === undefined || index < from) continue;
    const end = closing(text, index + length) + 1;
    const place = `${name}[${adapt(text.slice(index + length, end - 1), widths)}]`;
    const { component, next } = componentAt(text, end);
    ASSIGNMENT.lastIndex = next;
    const assignment = ASSIGNMENT.exec(text);
    result += text.slice(from, index);
    if (!assignment) {
      result += `${elementOf("f32", width)}(${place})`;
      from = end;
      continue;
    }
    const part = component === "" ? width : 1;
    const begin = ASSIGNMENT.lastIndex, stop = closing(text, begin);
    const value = adapt(text.slice(begin, stop).trim(), widths);
    const target = `${place}${adapt(component, widths)}`;
    const [, operator = ""] = assignment;
    const stored = operator ? `${elementOf("f32", part)}(${target}) ${operator} (${value})` : value;
    result += `${target} = ${elementOf("f16", part)}(${stored})`;
    from = stop;
  }
  return result + text.slice(from);
}

/** The `.x` or `[k]` behind an element, and where the text goes on. */
function componentAt(text: string, at: number): { component: string; next: number } {
  const next = text[at] === "[" ? closing(text, at + 1) + 1 : text[at] === "." ? at + 2 : at;
  return { component: text.slice(at, next), next };
}

/** Where what was opened before `from` ends: at its bracket, or at the statement's semicolon. */
function closing(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at]!;
    if ("([{".includes(character)) depth++;
    else if (")]}".includes(character) && depth-- === 0) return at;
    else if (character === ";" && depth === 0) return at;
  }
  return text.length;
}
