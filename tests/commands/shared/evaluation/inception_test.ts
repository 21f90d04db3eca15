import { inceptionPath, loadInception } from "../../../../commands/shared/evaluation/inception.ts";
import { assert, assertRejects, assertStringIncludes } from "../../../support/assert.ts";
import { testGpu } from "../../../support/gpu.ts";
import { inFolderWithCache } from "../../../support/runs.ts";

Deno.test("loadInception() says where the weights can go when they cannot be fetched", async () => {
  await inFolderWithCache(async (folder) => {
    const { fetch } = globalThis;
    globalThis.fetch = () => Promise.reject(new TypeError("there is no network"));
    try {
      const load = async () => await loadInception(await testGpu(), undefined, () => {});
      const { message } = await assertRejects(load, Error, "there is no network");
      assertStringIncludes(message, `https://github.com/mseitzer/pytorch-fid/releases/`);
      assertStringIncludes(message, `; put pt_inception-2015-12-05-6726825d.pth into ${folder}`);
      assertStringIncludes(message, "--inception-weights FILE");
      assert(inceptionPath().startsWith(folder), "the message must name the place that is read");
    } finally {
      globalThis.fetch = fetch;
    }
  });
});
