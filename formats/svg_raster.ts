/**
 * Pictures from SVG drawings: the wrapper of resvg. Text is set in the face at hand, so that a drawing
 * looks the same on every machine, with or without fonts of its own.
 *
 * @module
 */
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { fileURLToPath } from "node:url";
import { FACE, readFace } from "./face.ts";

/** The family that text must name first to be drawn in the face at hand. */
export const SVG_FONT = FACE;

/** Weights and characters of the face that are at hand. */
const FACES = [
  "inter-latin-400-normal",
  "inter-latin-600-normal",
  "inter-latin-400-italic",
  "inter-greek-400-normal",
];

let fonts: Promise<Uint8Array[]> | undefined;

async function load(): Promise<Uint8Array[]> {
  const wasm = fileURLToPath(import.meta.resolve("@resvg/resvg-wasm/index_bg.wasm"));
  await initWasm(await Deno.readFile(wasm));
  return await Promise.all(FACES.map(readFace));
}

/**
 * Draws an SVG document as a PNG.
 *
 * @param scale Screen pixels a unit of the drawing. Default 2.
 * @throws {SyntaxError} When the text is no SVG.
 */
export async function rasterizeSvg(svg: string, scale = 2): Promise<Uint8Array> {
  const fontBuffers = await (fonts ??= load());
  try {
    const drawing = new Resvg(svg, {
      fitTo: { mode: "zoom", value: scale },
      font: { fontBuffers, loadSystemFonts: false, defaultFontFamily: SVG_FONT },
    });
    return drawing.render().asPng();
  } catch (cause) {
    throw new SyntaxError(`Cannot draw an SVG: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
