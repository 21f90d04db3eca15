import { decodePng } from "../../formats/png.ts";
import { rasterizeSvg } from "../../formats/svg_raster.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";

const NS = 'xmlns="http://www.w3.org/2000/svg" width="40" height="20"';

Deno.test("rasterizeSvg() draws shapes at their place and scale", async () => {
  const svg = `<svg ${NS}><rect width="40" height="20" fill="#fff"/>` +
    '<rect x="10" y="5" width="10" height="10" fill="#ff0000"/></svg>';
  const { width, height, channels, data } = decodePng(await rasterizeSvg(svg, 3));
  assertEquals([width, height, channels], [120, 60, 4]);
  const pixel = (
    x: number,
    y: number,
  ) => [...data.subarray(4 * (y * 120 + x), 4 * (y * 120 + x) + 4)];
  assertEquals(pixel(45, 30), [255, 0, 0, 255]);
  assertEquals(pixel(5, 5), [255, 255, 255, 255]);
});

Deno.test("rasterizeSvg() sets text without any font of the system's", async () => {
  const draw = async (text: string) => {
    const svg = `<svg ${NS}><text y="15" font-family="Inter">${text}</text></svg>`;
    return decodePng(await rasterizeSvg(svg)).data.reduce((sum, value) => sum + value, 0);
  };
  const one = await draw("|k|");
  assert(one > 0);
  assert(await draw("ε|k|") > one);
});

Deno.test("rasterizeSvg() refuses what is no SVG", async () => {
  await assertRejects(() => rasterizeSvg("<svg"), SyntaxError, "Cannot draw an SVG");
});
