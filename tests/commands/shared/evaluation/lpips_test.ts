import {
  lpipsState,
  PUBLISHED,
  PUBLISHED_FILES,
} from "../../../../commands/shared/evaluation/lpips.ts";
import { publishedPath } from "../../../../commands/shared/evaluation/published.ts";
import { writeSafetensors } from "../../../../formats/safetensors.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../../support/assert.ts";
import { inFolderWithCache } from "../../../support/runs.ts";

const tensor = (values: readonly number[]) =>
  ({ dtype: "F32", shape: [values.length], data: Float32Array.from(values) }) as const;

Deno.test("lpipsState() puts AlexNet and LPIPS's factors together, or takes a file with both", () =>
  inFolderWithCache(async (folder) => {
    const [alexnet, factors] = PUBLISHED_FILES.map(publishedPath);
    const ask = { attempts: 1 };
    const { fetch } = globalThis;
    globalThis.fetch = () => Promise.reject(new TypeError("there is no network"));
    try {
      const none = await assertRejects(() => lpipsState(PUBLISHED, ask), Error, "no network");
      assertStringIncludes(none.message, `; put alexnet-owt-7be5be79.pth into ${folder}`);
      assertStringIncludes(none.message, "by --lpips FILE");
      const features = { "features.0.weight": tensor([1]), "classifier.1.weight": tensor([2]) };
      await Deno.writeFile(alexnet!, writeSafetensors(Object.entries(features)));
      await assertRejects(() => lpipsState(PUBLISHED, ask), Error, "put lpips-alex-0.1.pth into");
      await Deno.writeFile(factors!, writeSafetensors([["lin0.model.1.weight", tensor([3])]]));
      const state = await lpipsState(PUBLISHED, ask);
      assertEquals([...state.keys()], ["features.0.weight", "lin0.model.1.weight"]);
      assertEquals([...(await lpipsState(factors!, ask)).keys()], ["lin0.model.1.weight"]);
    } finally {
      globalThis.fetch = fetch;
    }
  }));
