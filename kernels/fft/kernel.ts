/**
 * The kernel of Fourier transforms. A workgroup holds a block of lines (1-D) or planes (2-D) in
 * workgroup memory and takes it through all stages; the first stage reads from the input, the last
 * writes to the output, and those between alternate between two halves of the memory.
 *
 * Points of a block are `[points, lines]`, lines innermost, as channels are in the tensors: lanes side
 * by side then touch memory side by side. The inverse is the forward transform with real and
 * imaginary parts exchanged at both ends, so both directions share a pipeline.
 *
 * @module
 */
import { full } from "../../device/element.ts";
import { defineKernel, type Kernel } from "../../device/kernel.ts";
import { FLAT_INDEX } from "../shared/grid.ts";
import { butterfly, COMPLEX } from "./butterflies.ts";
import { RADICES, type Radix, stagesOf } from "./plan.ts";

/** Points that a workgroup holds at most: two halves of 8 bytes each fill WebGPU's 16 KiB. */
export const MAX_BLOCK = 1024;
/** Terms of a sum that are added up before they join the others, where there are many. */
const PART = 16;
/** Invocations of a workgroup. */
const LANES = 64;
const POINT_BYTES = 8;

/** What is written of a point: both parts, the real one, or the real less the imaginary one. */
export type FourierOutput = "complex" | "real" | "hartley";

/** In names of kernels, and in WGSL. */
const OUTPUTS: Readonly<Record<FourierOutput, { readonly letter: string; of(z: string): string }>> =
  {
    complex: { letter: "c", of: (z) => z },
    real: { letter: "r", of: (z) => `${z}.x` },
    hartley: { letter: "h", of: (z) => `dot(${z}, vec2f(1.0, -1.0))` },
  };

/** What a kernel is built for. */
export interface BlockShape {
  /** Lengths of the axes that are transformed, outermost first: one or two. */
  readonly lengths: readonly number[];
  /** Lines, or planes, of a block. */
  readonly lines: number;
  readonly realInput: boolean;
  readonly output: FourierOutput;
  /** The only stage that is taken, of a length that no workgroup holds; all unless given. */
  readonly stage?: number;
}

/** One stage over the whole block. */
interface Stage {
  readonly radix: number;
  /** Points of the axis. */
  readonly length: number;
  /** Distance of its neighbouring points in the block. */
  readonly stride: number;
  /** Product of the radices before. */
  readonly done: number;
  /** Where the axis's twiddles begin. */
  readonly twiddles: number;
}

/** The kernel's parameters. */
const PARAMS = { inner: "u32", lines: "u32", swap: "u32", scale: "f32" } as const;

/** A Fourier transform kernel. */
export type FourierKernel = Kernel<"x" | "twiddle" | "result", keyof typeof PARAMS>;

/** Builds the kernel of a block. */
export function fourierKernel(shape: BlockShape): FourierKernel {
  const { lengths, lines, realInput, output, stage } = shape;
  const all = stagesOfBlock(shape);
  const stages = stage === undefined ? all : [all[stage]!];
  const points = lengths.reduce((product, n) => product * n, 1);
  const halves = Math.min(2, stages.length - 1);
  const type = (real: boolean) => full(real ? 1 : 2);
  return defineKernel({
    name: `fft${lengths.join("x")}${stage === undefined ? "" : `:${stage}`}.${lines}.${
      realInput ? "r" : "c"
    }${OUTPUTS[output].letter}`,
    bindings: {
      x: { type: type(realInput), access: "read" },
      twiddle: { type: full(2), access: "read" },
      result: { type: type(output !== "complex"), access: "write" },
    },
    params: PARAMS,
    workgroupSize: [LANES, 1, 1],
    workgroupBytes: halves * points * lines * POINT_BYTES,
    wgsl: `${FLAT_INDEX}${COMPLEX}
${
      Array.from(
        { length: halves },
        (_, i) => `var<workgroup> half${i}: array<vec2f, ${points * lines}>;`,
      ).join("\n")
    }
fn swapped(z: vec2f) -> vec2f { return select(z, z.yx, params.swap == 1u); }
// A point of the block in the tensors, [outer, points, inner].
fn place(line: u32, i: u32) -> u32 {
  return ((line / params.inner) * ${points}u + i / ${lines}u) * params.inner + line % params.inner;
}
fn load(first: u32, i: u32) -> vec2f {
  let line = first + i % ${lines}u;
  if (line >= params.lines) { return vec2f(0.0); }
  return swapped(${realInput ? "vec2f(x[place(line, i)], 0.0)" : "x[place(line, i)]"});
}
fn store(first: u32, i: u32, z: vec2f) {
  let line = first + i % ${lines}u;
  if (line < params.lines) { result[place(line, i)] = ${
      OUTPUTS[output].of("(params.scale * swapped(z))")
    }; }
}
@compute @workgroup_size(WX, WY, WZ)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = flatWorkgroup(group, groups) * ${lines}u;
${stages.map((stage, i) => stageCode(stage, i, stages.length, points * lines)).join("")}}`,
  });
}

/** The innermost axis first: its points are nearest in memory. */
function stagesOfBlock({ lengths, lines }: BlockShape): Stage[] {
  const stages: Stage[] = [];
  let stride = lines, twiddles = 0;
  for (const length of lengths.toReversed()) {
    // Nothing to be done, unless there is nothing else.
    if (length === 1 && lengths.some((n) => n > 1)) {
      twiddles++;
      continue;
    }
    let done = 1;
    for (const radix of stagesOf(length)) {
      stages.push({ radix, length, stride, done, twiddles });
      done *= radix;
    }
    stride *= length;
    twiddles += length;
  }
  return stages;
}

function stageCode(stage: Stage, index: number, count: number, block: number): string {
  const read = (at: string) => index === 0 ? `load(first, ${at})` : `half${(index - 1) % 2}[${at}]`;
  const write = (at: string, z: string) =>
    index === count - 1 ? `store(first, ${at}, ${z});` : `half${index % 2}[${at}] = ${z};`;
  const radix = RADICES.find((it) => it === stage.radix);
  const body = radix ? radixCode(stage, radix, read, write) : sumCode(stage, block, read, write);
  const items = radix ? block / radix : block;
  return `  for (var i = lane; i < ${items}u; i += WX) {
    ${body.join("\n    ")}
  }
${index === count - 1 ? "" : "  workgroupBarrier();\n"}`;
}

type Read = (at: string) => string;
type Write = (at: string, z: string) => string;

/** One output of a stage whose radix has no butterfly: a sum over its inputs, in parts if long. */
function sumCode(stage: Stage, block: number, read: Read, write: Write): string[] {
  const { radix, length, stride, done, twiddles } = stage;
  const span = length / radix * stride;
  const term = `times(${read(`start + q * ${span}u`)}, ` +
    `twiddle[${twiddles}u + (q * turn) % ${length}u])`;
  const sum = radix <= PART * 4 ? [`for (var q = 0u; q < ${radix}u; q++) { total += ${term}; }`] : [
    `for (var begin = 0u; begin < ${radix}u; begin += ${PART}u) {`,
    "  var part = vec2f(0.0);",
    `  for (var q = begin; q < min(begin + ${PART}u, ${radix}u); q++) { part += ${term}; }`,
    "  total += part;",
    "}",
  ];
  return [
    `let m = i / ${block / radix}u;`,
    `let butterfly = i % ${block / radix}u;`,
    ...placeCode(stage, "butterfly"),
    "let start = plane + inPlane;",
    `let turn = ${length / (done * radix)}u * (k + m * ${done}u);`,
    "var total = vec2f(0.0);",
    ...sum,
    `${write(`to + m * ${done * stride}u`, "total")}`,
  ];
}

/**
 * Where a butterfly of a stage reads and writes; k is its point's place among those that are
 * transformed already.
 */
function placeCode({ radix, length, stride, done }: Stage, index: string): string[] {
  const span = length / radix * stride;
  return [
    `let inPlane = ${index} % ${span}u;`,
    `let plane = (${index} / ${span}u) * ${length * stride}u;`,
    `let point = inPlane / ${stride}u;`,
    `let k = point % ${done}u;`,
    `let to = plane + ((point - k) * ${radix}u + k) * ${stride}u + inPlane % ${stride}u;`,
  ];
}

/** One butterfly. */
function radixCode(stage: Stage, radix: Radix, read: Read, write: Write): string[] {
  const { length, stride, done, twiddles } = stage;
  const span = length / radix * stride;
  const lines = placeCode(stage, "i");
  const inputs = Array.from({ length: radix }, (_, q) => `v${q}`);
  inputs.forEach((name, q) => {
    const value = read(`plane + inPlane + ${q * span}u`);
    const turn = `twiddle[${twiddles}u + ${q * length / (done * radix)}u * k]`;
    lines.push(`let ${name} = ${q === 0 || done === 1 ? value : `times(${value}, ${turn})`};`);
  });
  const { lines: code, outputs } = butterfly(radix, inputs, "w");
  lines.push(...code);
  outputs.forEach((name, q) => lines.push(write(`to + ${q * done * stride}u`, name)));
  return lines;
}
