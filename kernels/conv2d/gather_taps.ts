/**
 * What a tiled convolution (gather_tiled.ts) does when it goes on to the next tap.
 *
 * @module
 */
import { perLoad, type WorkgroupTile } from "../shared/workgroup_tiles.ts";
import { type Added, type GatherMode, type names, tapsOf } from "./gather_source.ts";
import { pixelText } from "./shape.ts";

/** What the code depends on. */
export interface TiledGather {
  readonly mode: GatherMode;
  readonly tile: WorkgroupTile;
  /** Names of the tensors that the epilogue adds. */
  readonly added: readonly Added[];
  readonly blocked: boolean;
  /** Which of the images is joined, if any; see `TensorRef.seam`. */
  readonly joined: "source" | "result" | undefined;
  /** Whether each pixel of x is read as four. */
  readonly doubled: boolean;
  /** Whether taps are layers; see {@linkcode GatherProduct.layerStep}. */
  readonly layered: boolean;
  readonly stride: number;
  /** Whether the summed channels are loaded four at a time. */
  readonly wideDepth: boolean;
  /** Whether the result's channels are. */
  readonly wideColumns: boolean;
  /** See {@linkcode hasWholeTaps}. */
  readonly wholeTaps: boolean;
  /** Whether workgroups along z share out k. */
  readonly split: boolean;
}

/**
 * WGSL of what a tap decides. Coordinates left of or above the image wrap around to large numbers, which
 * are outside too, and so do places, whose sum is right again.
 */
export function tapText(
  { mode, stride, tile, doubled, layered }: TiledGather,
  size: ReturnType<typeof names>,
) {
  const sh = `params.${size.sh}`, sw = `params.${size.sw}`;
  const times = stride === 1 ? "" : ` * ${stride}u`;
  const inside = (n: number) => `inside${n} = sy < ${sh} && sx < ${sw};`;
  const place = (y: string, x: string) => `((${y}) * ${sw} + ${x}) * depth + aK / 4u`;
  if (layered) {
    return {
      linear: true,
      first: (n: number) => `let from${n} = p${n} * depth + aK / 4u;`,
      aim: `tapAt = kx * pixels * depth;
      ${perLoad(tile, "a", (n) => `inside${n} = kx < params.kw;`)}`,
    };
  }
  const taps = tapsOf(doubled && mode === "input");
  if (doubled && mode === "forward") {
    const { line, column } = pixelText(true);
    return {
      linear: false,
      first: (n: number) => `var from${n} = 0u;`,
      aim: perLoad(tile, "a", (n) =>
        `{
        let sy = py${n}${times} + ky - params.py;
        let sx = px${n}${times} + kx - params.px;
        ${inside(n)}
        from${n} = (${line(`pn${n} + sy`, sw)} + ${column("sx")}) * depth + aK / 4u;
      }`),
    };
  }
  if (mode === "forward") {
    return {
      linear: true,
      first: (n: number) => `let from${n} = ${place(`pn${n} + py${n}${times}`, `px${n}${times}`)};`,
      aim: `tapAt = ((ky - params.py) * ${sw} + kx - params.px) * depth;
      ${
        perLoad(tile, "a", (n) =>
          `{
        let sy = py${n}${times} + ky - params.py;
        let sx = px${n}${times} + kx - params.px;
        ${inside(n)}
      }`)
      }`,
    };
  }
  if (stride === 1 && !doubled) {
    return {
      linear: true,
      first: (n: number) => `let from${n} = ${place(`pn${n} + py${n}`, `px${n}`)};`,
      aim: `tapAt = ((params.py - ky) * ${sw} + params.px - kx) * depth;
      ${
        perLoad(tile, "a", (n) =>
          `{
        let sy = py${n} + params.py - ky;
        let sx = px${n} + params.px - kx;
        ${inside(n)}
      }`)
      }`,
    };
  }
  return {
    linear: false,
    first: (n: number) => `var from${n} = 0u;`,
    aim: (doubled ? `weightAt = (${taps.ky} * params.kw + ${taps.kx}) * weightStep;\n      ` : "") +
      perLoad(tile, "a", (n) =>
        `{
        let vy = ${taps.py(`py${n}`)} + params.py - ${taps.ky};
        let vx = ${taps.px(`px${n}`)} + params.px - ${taps.kx};
        let sy = vy / ${stride}u;
        let sx = vx / ${stride}u;
        ${inside(n)}
        inside${n} = inside${n} && vy % ${stride}u == 0u && vx % ${stride}u == 0u;
        from${n} = ${place(`pn${n} + sy`, "sx")};
      }`),
  };
}
