/**
 * Grids of samples side by side, pixel for pixel.
 *
 * @module
 */
import { decodePng, encodePng, type Picture } from "../../formats/png.ts";
import { imageShape } from "../../data/options.ts";
import { visibleScale } from "../../training/pictures.ts";
import type { Figure } from "../../run_log/charts/figures.ts";
import type { Method, RunRecord } from "../../run_log/read_run.ts";
import { type Drawing, element, grid, text } from "../../run_log/charts/svg.ts";

/** Width of a grid on the drawing, at most. */
const WIDTH = 320;

/** The first seed's samples of each method; null where nobody has any. */
export async function sampleFigure(methods: readonly Method[]): Promise<Figure | null> {
  const drawings: Drawing[] = [];
  for (const { name, runs } of methods) {
    const run = runs.find(({ picture }) => picture !== null);
    if (run?.picture) drawings.push(await drawGrid(name, run, run.picture));
  }
  if (drawings.length === 0) return null;
  return {
    name: "samples",
    title: "Samples",
    caption: "The first images of each method's first seed, from the same noise: not chosen.",
    drawing: grid(drawings, drawings.length > 4 ? 3 : 2),
  };
}

async function drawGrid(name: string, run: RunRecord, path: string): Promise<Drawing> {
  const { height, width } = imageShape(run.config.data);
  const whole = decodePng(await Deno.readFile(path));
  // Pictures are written enlarged; every `scale`-th pixel is one of the model's.
  const scale = visibleScale({ height, width, channels: whole.channels });
  const cell = { width: width + 1, height: height + 1 };
  const columns = Math.floor((whole.width / scale - 1) / cell.width);
  const rows = Math.floor((whole.height / scale - 1) / cell.height);
  const zoom = Math.max(1, Math.floor(48 / Math.max(height, width)));
  const fit = Math.max(1, Math.floor((WIDTH / zoom - 1) / cell.width));
  const shown = Math.min(columns, fit);
  const picture = reduced(whole, scale, {
    width: shown * cell.width + 1,
    height: Math.min(rows, shown) * cell.height + 1,
  });
  const size = { width: picture.width * zoom, height: picture.height * zoom };
  const data = encodePng(picture).toBase64();
  const image = element("image", {
    ...{ x: 0, y: 24, ...size, href: `data:image/png;base64,${data}` },
    "image-rendering": "optimizeSpeed",
  });
  const title = text(0, 14, name, { size: 13, bold: true });
  return { width: Math.max(size.width, 120), height: 24 + size.height, content: title + image };
}

/** Every `step`-th pixel of the top left corner. */
function reduced(
  { data, width, channels }: Picture,
  step: number,
  size: { readonly width: number; readonly height: number },
): Picture {
  const result = new Uint8Array(size.width * size.height * channels);
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const from = (y * step * width + x * step) * channels;
      const to = (y * size.width + x) * channels;
      for (let c = 0; c < channels; c++) result[to + c] = data[from + c]!;
    }
  }
  return { ...size, channels, data: result };
}
