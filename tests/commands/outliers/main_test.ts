import { join } from "node:path";
import { imageSet } from "../../../data/dataset.ts";
import { decodePng } from "../../../formats/png.ts";
import { matchChannels } from "../../../commands/outliers/main.ts";
import { histogramPicture } from "../../../commands/outliers/histogram.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";
import { lpipsFile } from "../../support/lpips.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, runScript, smokeConfig, trainInFolder } from "../../support/runs.ts";

Deno.test("matchChannels() averages colours and repeats greys", () => {
  const set = imageSet("two pixels", {
    ...{ images: Uint8Array.of(10, 20, 33, 0, 0, 0), labels: null },
    ...{ count: 1, height: 1, width: 2, channels: 3 },
  });
  const grey = matchChannels(set, 1);
  assertEquals([...grey.images], [21, 0]);
  assertEquals([...matchChannels(grey, 3).images], [21, 21, 21, 0, 0, 0]);
  assertEquals(matchChannels(set, 3), set);
});

/** Pixels of one colour. */
function colouredPixels({ data }: { data: Uint8Array }, [r, g, b]: readonly number[]): number {
  let count = 0;
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count++;
  }
  return count;
}

Deno.test("histogramPicture() shows both sets with equal areas whatever their sizes", () => {
  const flat = (count: number, from: number) =>
    Array.from({ length: count }, (_, i) => from + i / count);
  const picture = histogramPicture("AUROC 100 %", [
    { name: "low", values: flat(1000, 0) },
    { name: "high", values: flat(100, 2) },
  ]);
  assertEquals(picture.data.length, picture.width * picture.height * 3);
  const blue = colouredPixels(picture, [121, 173, 210]);
  const orange = colouredPixels(picture, [240, 160, 126]);
  assert(blue > 5000 && Math.abs(blue / orange - 1) < 0.1, `${blue} and ${orange}`);
  // One value alone must not divide by zero.
  histogramPicture("one", [{ name: "a", values: [1] }, { name: "b", values: [1] }]);
});

Deno.test("outliers scores two sets, the same again, and writes JSON and PNG", async () => {
  await inFolder(async (folder) => {
    const dir = join(folder, "run");
    await trainInFolder(await smokeConfig("data.holdout=8"), dir);
    const run = (out: string, ...more: string[]) =>
      runScript("commands/outliers/main.ts", [
        ...["--checkpoint", dir, "--out-set", "synthetic", "--data.synthetic.kind=field"],
        ...["--count", "6", "--out", join(folder, out), ...more],
      ]);
    const [first, again] = await Promise.all([run("a"), run("b", "--batch", "16")]);
    assertEquals(first.code, 0, first.err);
    assertStringIncludes(first.out, "AUROC");
    const [json = "", png = ""] = [...Deno.readDirSync(join(folder, "a"))].map(({ name }) => name)
      .sort();
    const facts = JSON.parse(await Deno.readTextFile(join(folder, "a", json)));
    assertEquals([facts.inliers.scores.length, facts.outliers.scores.length], [6, 6]);
    assertEquals([facts.timestep, facts.score], [9, "l2"]);
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    assert(mean(facts.inliers.scores) > 0 && facts.auroc >= 0 && facts.auroc <= 1);
    assertEquals(decodePng(await Deno.readFile(join(folder, "a", png))).channels, 3);
    assertEquals(again.code, 0, again.err);
    const same = JSON.parse(await Deno.readTextFile(join(folder, "b", json)));
    assertAlmostEquals(mean(same.outliers.scores), mean(facts.outliers.scores), 0);
    const weights = join(folder, "lpips.safetensors");
    await Deno.writeFile(weights, lpipsFile());
    const perceptual = await run("d", "--lpips", weights);
    assertEquals(perceptual.code, 0, perceptual.err);
    const more = JSON.parse(await Deno.readTextFile(join(folder, "d", json)));
    assertEquals(more.score, "l2 + LPIPS of images enlarged to 64x64");
    for (const side of ["inliers", "outliers"]) {
      const plain: number[] = facts[side].scores;
      assert(plain.every((score, i) => more[side].scores[i] > score), `${side}: LPIPS adds to l2`);
    }
    const wrong = await run("c", "--factor", "0.01");
    assertEquals(wrong.code, 2);
    assertStringIncludes(errorLines(wrong).join(), "Cannot reconstruct: the factor must be above");
    const place = await run(join("a", json, "c"));
    assertEquals([place.code, place.out], [2, ""], place.err);
    assertStringIncludes(errorLines(place).join(), "each folder on the path must be a folder");
  });
});
