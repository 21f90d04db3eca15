import { join } from "node:path";
import { readSafetensors } from "../../formats/safetensors.ts";
import { encodePng } from "../../formats/png.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

/** Two classes of pictures of no size in particular. */
async function writePictures(folder: string): Promise<void> {
  for (const [c, name] of ["cat", "dog"].entries()) {
    await Deno.mkdir(join(folder, name), { recursive: true });
    for (let i = 0; i < 10; i++) {
      const width = 8 + i, height = 17 - i;
      const data = Uint8Array.from({ length: width * height * 3 }, (_, k) => k * (i + 1) + 40 * c);
      const bytes = encodePng({ width, height, channels: 3, data });
      await Deno.writeFile(join(folder, name, `${i}.png`), bytes);
    }
  }
}

Deno.test("trainRun() streams a folder from the disk to the same bytes, also where it goes on", () =>
  inFolder(async (folder) => {
    const before = Deno.env.get("DIFFRACT_CACHE");
    try {
      const pictures = join(folder, "pictures");
      await writePictures(pictures);
      const run = async (
        name: string,
        stream: boolean,
        steps: number,
        { resume = false, cache = name } = {},
      ) => {
        Deno.env.set("DIFFRACT_CACHE", join(folder, `cache-${cache}`));
        const config = await smokeConfig(
          "data.name=folder",
          `data.dir=${pictures}`,
          "data.size=8",
          "data.holdout=2",
          "data.resize=bicubic",
          `data.stream=${stream}`,
          "train.accumulate=2",
          "train.evalEvery=3",
          "train.evalCount=2",
          "train.sampleEvery=0",
          "train.checkpointEvery=100",
          `train.steps=${steps}`,
        );
        const { checkpoint, lines } = await trainInFolder(config, join(folder, name), { resume });
        const { tensors, metadata } = readSafetensors(await Deno.readFile(checkpoint));
        // Of the file, with the config in it, which says how images came.
        tensors.delete("checksum");
        return { lines, tensors: [...tensors], images: metadata.images };
      };
      const held = await run("held", false, 12);
      const streamed = await run("streamed", true, 12);
      assert(streamed.lines.some((line) => line.startsWith("Kept 18 decoded images of ")));
      assertEquals(streamed.tensors, held.tensors);
      assert(held.images !== undefined && streamed.images === held.images);
      // In the middle of an epoch; the decoded images are those that the run in memory has kept.
      await run("resumed", true, 5, { cache: "held" });
      const resumed = await run("resumed", true, 12, { resume: true, cache: "held" });
      assert(!resumed.lines.some((line) => line.startsWith("Decoding")));
      assertEquals(resumed.tensors, held.tensors);
    } finally {
      if (before === undefined) Deno.env.delete("DIFFRACT_CACHE");
      else Deno.env.set("DIFFRACT_CACHE", before);
    }
  }));

Deno.test("trainRun() trains on a folder of pictures, goes on from what is kept, and says when it has gone", () =>
  inFolder(async (folder) => {
    const before = Deno.env.get("DIFFRACT_CACHE");
    Deno.env.set("DIFFRACT_CACHE", join(folder, "cache"));
    try {
      const pictures = join(folder, "pictures"), dir = join(folder, "run");
      await writePictures(pictures);
      const config = (steps: number) =>
        smokeConfig(
          "data.name=folder",
          `data.dir=${pictures}`,
          "data.size=8",
          "data.holdout=2",
          "data.resize=bicubic",
          "train.evalCount=2",
          "train.sampleEvery=0",
          "train.checkpointEvery=2",
          `train.steps=${steps}`,
        );
      const first = await trainInFolder(await config(2), dir);
      assert(first.lines.some((line) => line.startsWith("Decoding 18 train images of ")));
      assert(first.lines.some((line) => line.includes("18 images of 8x8x3, folder train")));
      const then = await trainInFolder(await config(4), dir, { resume: true });
      assertEquals([then.step, then.finished], [4, true]);
      assert(!then.lines.some((line) => line.startsWith("Decoding")));
      await Deno.remove(pictures, { recursive: true });
      const last = await config(6);
      const gone = () => trainInFolder(last, dir, { resume: true });
      await assertRejects(gone, Error, "data.dir must name a folder or an archive that exists");
    } finally {
      if (before === undefined) Deno.env.delete("DIFFRACT_CACHE");
      else Deno.env.set("DIFFRACT_CACHE", before);
    }
  }));
