import { join } from "node:path";
import { decodePng } from "../../formats/png.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

for (const kind of ["union", "overlay", "dominoes"] as const) {
  Deno.test(`trainRun() trains on a mix of two sets: ${kind}`, () =>
    inFolder(async (dir) => {
      const config = await smokeConfig(
        "data.name=mix",
        "data.mix.first=synthetic",
        "data.mix.second=synthetic",
        `data.mix.kind=${kind}`,
        "train.steps=2",
        "train.sampleEvery=2",
        "train.evalEvery=2",
        "diffusion.spectralLoss.lambda=1",
        "diffusion.spectralLoss.spectrum=radial-power",
      );
      const { finished, lines } = await trainInFolder(config, dir);
      assert(finished);
      const height = kind === "dominoes" ? 16 : 8;
      const count = kind === "union" ? 64 : 32;
      const data = lines.find((line) => line.startsWith("data"));
      assert(data?.includes(`${count} images of ${height}x8x1, ${kind} of synthetic`), data);
      const png = decodePng(await Deno.readFile(join(dir, "samples", "step-000002.png")));
      assertEquals(png.height > png.width, kind === "dominoes");
    }));
}
