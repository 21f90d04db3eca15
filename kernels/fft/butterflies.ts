/**
 * Butterflies: discrete Fourier transforms of 2 to 8 points as straight-line WGSL over `vec2f`.
 *
 * @module
 */
import type { Radix } from "./plan.ts";

/** WGSL: product of complex numbers, and the quarter turns -i z and i z. */
export const COMPLEX = `
fn times(a: vec2f, b: vec2f) -> vec2f { return vec2f(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }
fn turnDown(z: vec2f) -> vec2f { return vec2f(z.y, -z.x); }
fn turnUp(z: vec2f) -> vec2f { return vec2f(-z.y, z.x); }
`;

/** Lines of WGSL and the names of what they compute. */
export interface Butterfly {
  readonly lines: readonly string[];
  readonly outputs: readonly string[];
}

/** A constant with all digits of an f32. */
function literal(value: number): string {
  const text = Math.fround(value).toPrecision(9);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/**
 * X_m = sum_q x_q exp(-2 pi i q m / radix).
 *
 * @param inputs WGSL expressions without side effects, cheap to repeat.
 * @param prefix Start of the names that the lines declare; unique in their scope.
 */
export function butterfly(radix: Radix, inputs: readonly string[], prefix: string): Butterfly {
  switch (radix) {
    case 2:
      return two(inputs, prefix);
    case 4:
    case 8:
      return even(radix, inputs, prefix);
    default:
      return odd(radix, inputs, prefix);
  }
}

function two([a, b]: readonly string[], prefix: string): Butterfly {
  const outputs = [`${prefix}0`, `${prefix}1`];
  return {
    lines: [`let ${outputs[0]} = ${a} + ${b};`, `let ${outputs[1]} = ${a} - ${b};`],
    outputs,
  };
}

/** Even and odd inputs apart, then joined by one more radix-2 step. */
function even(radix: 4 | 8, inputs: readonly string[], prefix: string): Butterfly {
  const half = radix / 2 as 2 | 4;
  const evens = butterfly(half, inputs.filter((_, i) => i % 2 === 0), `${prefix}e`);
  const odds = butterfly(half, inputs.filter((_, i) => i % 2 === 1), `${prefix}o`);
  const lines = [...evens.lines, ...odds.lines];
  const outputs = Array.from({ length: radix }, (_, m) => `${prefix}${m}`);
  for (let m = 0; m < half; m++) {
    const turned = `${prefix}t${m}`;
    lines.push(`let ${turned} = ${eighthTurns(odds.outputs[m]!, m * 8 / radix)};`);
    lines.push(`let ${outputs[m]} = ${evens.outputs[m]} + ${turned};`);
    lines.push(`let ${outputs[m + half]} = ${evens.outputs[m]} - ${turned};`);
  }
  return { lines, outputs };
}

/** z exp(-2 pi i eighths / 8), for 0 to 3 eighths. */
function eighthTurns(z: string, eighths: number): string {
  const h = literal(Math.SQRT1_2);
  switch (eighths) {
    case 0:
      return z;
    case 1:
      return `${h} * vec2f(${z}.x + ${z}.y, ${z}.y - ${z}.x)`;
    case 2:
      return `turnDown(${z})`;
    default:
      return `${h} * vec2f(${z}.y - ${z}.x, -${z}.x - ${z}.y)`;
  }
}

/** Pairs q and radix - q have one cosine and opposite sines. */
function odd(radix: 3 | 5 | 7, inputs: readonly string[], prefix: string): Butterfly {
  const half = (radix - 1) / 2;
  const pairs = Array.from({ length: half }, (_, k) => k + 1);
  const lines = pairs.flatMap((q) => [
    `let ${prefix}s${q} = ${inputs[q]} + ${inputs[radix - q]};`,
    `let ${prefix}d${q} = ${inputs[q]} - ${inputs[radix - q]};`,
  ]);
  const outputs = Array.from({ length: radix }, (_, m) => `${prefix}${m}`);
  const total = pairs.map((q) => `${prefix}s${q}`).join(" + ");
  lines.push(`let ${outputs[0]} = ${inputs[0]} + (${total});`);
  for (const m of pairs) {
    const angle = (q: number) => 2 * Math.PI * ((m * q) % radix) / radix;
    const cosines = pairs.map((q) => `${literal(Math.cos(angle(q)))} * ${prefix}s${q}`);
    const sines = pairs.map((q) => `${literal(Math.sin(angle(q)))} * ${prefix}d${q}`);
    lines.push(`let ${prefix}a${m} = ${inputs[0]} + (${cosines.join(" + ")});`);
    lines.push(`let ${prefix}b${m} = turnDown(${sines.join(" + ")});`);
    lines.push(`let ${outputs[m]} = ${prefix}a${m} + ${prefix}b${m};`);
    lines.push(`let ${outputs[radix - m]} = ${prefix}a${m} - ${prefix}b${m};`);
  }
  return { lines, outputs };
}
