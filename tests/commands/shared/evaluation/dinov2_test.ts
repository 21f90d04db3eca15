import { join } from "node:path";
import { dinoV2Path, loadDinoV2 } from "../../../../commands/shared/evaluation/dinov2.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../../support/assert.ts";
import { dinoV2File, dinoV2State, SMALL, transformersState } from "../../../support/dinov2.ts";
import { testGpu } from "../../../support/gpu.ts";
import { inFolderWithCache } from "../../../support/runs.ts";

Deno.test("loadDinoV2() reads a file of either naming to the same features", async () => {
  await inFolderWithCache(async (folder) => {
    const gpu = await testGpu();
    const state = dinoV2State(SMALL, { gated: true });
    const images = Uint8Array.from({ length: 2 * 16 * 16 * 3 }, (_, i) => (i * i * 7) % 256);
    const found: number[][] = [];
    for (const [name, weights] of [["a", state], ["b", transformersState(state)]] as const) {
      const path = join(folder, `${name}.safetensors`);
      await Deno.writeFile(path, dinoV2File(weights));
      const extractor = await loadDinoV2(gpu, path, () => {});
      const pixels = { images, count: 2, height: 16, width: 16, channels: 3 };
      found.push([...(await extractor.extract(pixels)).features]);
      extractor.destroy();
    }
    assertEquals(found[0], found[1]);
  });
});

Deno.test("loadDinoV2() says where the weights can go when they cannot be fetched", async () => {
  await inFolderWithCache(async (folder) => {
    const { fetch } = globalThis;
    globalThis.fetch = () => Promise.reject(new TypeError("there is no network"));
    try {
      const load = async () => await loadDinoV2(await testGpu(), undefined, () => {});
      const { message } = await assertRejects(load, Error, "there is no network");
      assertStringIncludes(message, "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/");
      assertStringIncludes(message, `; put dinov2_vitl14_pretrain.pth into ${folder}`);
      assertStringIncludes(message, "--dinov2-weights FILE");
      assert(dinoV2Path().startsWith(folder), "the message must name the place that is read");
    } finally {
      globalThis.fetch = fetch;
    }
  });
});
