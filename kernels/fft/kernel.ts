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
import { type Radix, stagesOf } from "./plan.ts";

/** Points that a workgroup holds at most: two halves of 8 bytes each fill WebGPU's 16 KiB. */
export const MAX_BLOCK = 1024;
/** Invocations of a workgroup. */
const LANES = 64;
const POINT_BYTES = 8;

/** What a kernel is built for. */
export interface BlockShape {
  /** Lengths of the axes that are transformed, outermost first: one or two. */
  readonly lengths: readonly number[];
  /** Lines, or planes, of a block. */
  readonly lines: number;
  readonly realInput: boolean;
  readonly realOutput: boolean;
}

/** One stage over the whole block. */
interface Stage {
  readonly radix: Radix | "direct";
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
  const { lengths, lines, realInput, realOutput } = shape;
  const stages = stagesOfBlock(shape);
  const points = lengths.reduce((product, n) => product * n, 1);
  const halves = Math.min(2, stages.length - 1);
  const type = (real: boolean) => full(real ? 1 : 2);
  return defineKernel({
    name: `fft${lengths.join("x")}.${lines}${realInput ? ".r" : ".c"}${realOutput ? "r" : "c"}`,
    bindings: {
      x: { type: type(realInput), access: "read" },
      twiddle: { type: full(2), access: "read" },
      result: { type: type(realOutput), access: "write" },
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
  if (line < params.lines) { result[place(line, i)] = (params.scale * swapped(z))${
      realOutput ? ".x" : ""
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
    const radices = stagesOf(length);
    let done = 1;
    for (const radix of radices === "direct" ? ["direct" as const] : radices) {
      stages.push({ radix, length, stride, done, twiddles });
      if (radix !== "direct") done *= radix;
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
  const body = stage.radix === "direct"
    ? directCode(stage, read, write)
    : radixCode(stage, stage.radix, read, write);
  const items = stage.radix === "direct" ? block : block / stage.radix;
  return `  for (var i = lane; i < ${items}u; i += WX) {
    ${body.join("\n    ")}
  }
${index === count - 1 ? "" : "  workgroupBarrier();\n"}`;
}

type Read = (at: string) => string;
type Write = (at: string, z: string) => string;

/** A sum over the whole axis for each point. */
function directCode(
  { length, stride, twiddles }: Stage,
  read: Read,
  write: Write,
): string[] {
  return [
    `let point = (i / ${stride}u) % ${length}u;`,
    `let base = i - point * ${stride}u;`,
    "var total = vec2f(0.0);",
    `for (var k = 0u; k < ${length}u; k++) {`,
    `  total += times(${read(`base + k * ${stride}u`)}, ` +
    `twiddle[${twiddles}u + (point * k) % ${length}u]);`,
    "}",
    write("i", "total"),
  ];
}

/** One butterfly; k is the point's place among those that are transformed already. */
function radixCode(
  { length, stride, done, twiddles }: Stage,
  radix: Radix,
  read: Read,
  write: Write,
): string[] {
  const span = length / radix * stride;
  const lines = [
    `let inPlane = i % ${span}u;`,
    `let plane = (i / ${span}u) * ${length * stride}u;`,
    `let point = inPlane / ${stride}u;`,
    `let k = point % ${done}u;`,
  ];
  const inputs = Array.from({ length: radix }, (_, q) => `v${q}`);
  inputs.forEach((name, q) => {
    const value = read(`plane + inPlane + ${q * span}u`);
    const turn = `twiddle[${twiddles}u + ${q * length / (done * radix)}u * k]`;
    lines.push(`let ${name} = ${q === 0 || done === 1 ? value : `times(${value}, ${turn})`};`);
  });
  const { lines: code, outputs } = butterfly(radix, inputs, "w");
  lines.push(...code);
  lines.push(
    `let to = plane + ((point - k) * ${radix}u + k) * ${stride}u + inPlane % ${stride}u;`,
  );
  outputs.forEach((name, q) => lines.push(write(`to + ${q * done * stride}u`, name)));
  return lines;
}
