import { verifyDinoV2 } from "../../../../commands/verify/dinov2.ts";
import { type CaseResult, GoldenFile } from "../../../../commands/verify/golden.ts";
import { resample } from "../../../../data/pixels/resample.ts";
import { PORTABLE_FAMILIES, setVariantPolicy } from "../../../../kernels/shared/variants.ts";
import {
  DINOV2_NAME,
  DINOV2_SHA256,
  DinoV2Features,
  standardised,
} from "../../../../metrics/judges/features/dinov2_features.ts";
import { dinoV2Weights } from "../../../../metrics/judges/features/dinov2_weights.ts";
import type {
  StateDict,
  StateTensor,
} from "../../../../metrics/judges/features/inception_weights.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../../support/assert.ts";
import { dinoV2State, SMALL, transformersState } from "../../../support/dinov2.ts";
import { restorePolicy, testGpu } from "../../../support/gpu.ts";

/** Numbers of PyTorch in f64; make_dinov2.py made the file. */
const GOLDEN = new URL("../../../golden/networks", import.meta.url).pathname;
const SIZE = { height: 224, width: 224 };

for (const forced of PORTABLE_FAMILIES) {
  Deno.test(`DinoV2 gives the tokens and features of PyTorch, ${forced} kernels`, async () => {
    const gpu = await testGpu();
    const golden = await GoldenFile.read(GOLDEN, "dinov2");
    const results: CaseResult[] = [];
    setVariantPolicy(gpu, { forced });
    try {
      for await (const result of verifyDinoV2(gpu, golden)) results.push(result);
    } finally {
      restorePolicy(gpu);
    }
    assertEquals(
      results.map((result) => [result.case, "ok" in result && result.ok]),
      ["mlp.smaller", "mlp.larger", "mlp.equal", "gated.equal"].map((name) => [name, true]),
      JSON.stringify(results),
    );
  });
}

/** The values of a state by our names. */
function valuesOf(state: StateDict) {
  const { network, values } = dinoV2Weights(state, SIZE);
  return { shape: network.shape, values: [...values].map(([name, data]) => [name, [...data]]) };
}

Deno.test("dinoV2Weights() reads the names of transformers as those of the original", () => {
  for (const gated of [false, true]) {
    const state = dinoV2State(SMALL, { gated });
    const ours = valuesOf(state);
    assertEquals(ours.shape, {
      ...{ patch: 28, rows: 8, columns: 8, channels: 128, depth: 1, hidden: 96, gated },
    });
    assertEquals(valuesOf(transformersState(state)), ours);
  }
});

Deno.test("dinoV2Weights() names what is missing, of another shape or of another network", () => {
  const refused = (
    change: (state: Map<string, StateTensor>) => void,
    part: string,
    size = SIZE,
  ) => {
    const state = dinoV2State(SMALL);
    change(state);
    const take = () => [...dinoV2Weights(state, size).values];
    assertThrows(take, RangeError, part);
  };
  const flat = (...shape: number[]) => ({ shape, data: new Float32Array(0) });
  refused((state) => state.clear(), "patch_embed.proj.weight must have 4 axes, got no such tensor");
  refused(
    (state) => state.delete("blocks.0.ls1.gamma"),
    "blocks.0.ls1.gamma must have shape [128]",
  );
  refused(
    (state) => state.set("blocks.0.mlp.fc2.weight", flat(96, 128)),
    "blocks.0.mlp.fc2.weight must have shape [128, 96], got [96, 128]",
  );
  refused(
    (state) => state.set("register_tokens", flat(1, 4, 128)),
    "register tokens are not known",
  );
  refused((state) => state.set("pos_embed", flat(1, 11, 128)), "got 128 channels and 11 positions");
  refused(
    (state) => state.set("patch_embed.proj.weight", flat(100, 3, 14, 14)),
    "a multiple of 64 channels",
  );
  refused(() => {}, "divide images of 100x224, got patches of 28", { height: 100, width: 224 });
});

Deno.test("DinoV2Features judges each image alone, at any size, grey ones as colours", async () => {
  const gpu = await testGpu();
  const extractor = await DinoV2Features.create(gpu, dinoV2State(SMALL), "0123456789");
  assertEquals(
    [extractor.name, extractor.dimension, extractor.classes],
    ["DINOv2 of 1 blocks, 128 channels, patches of 28 (01234567)", 128, 0],
  );
  const size = { height: 20, width: 33 }, length = 20 * 33;
  const grey = Uint8Array.from({ length: 9 * length }, (_, i) => (i * i * 31 + i) % 251);
  const all = await extractor.extract({ images: grey, count: 9, channels: 1, ...size });
  assertEquals([all.features.length, all.probabilities.length], [9 * 128, 0]);
  const last = { images: grey.subarray(8 * length), count: 1, channels: 1, ...size };
  const { features } = await extractor.extract(last);
  assertEquals([...features], [...all.features.subarray(8 * 128)]);
  assert(features.some((value, i) => Math.abs(value - all.features[i]!) > 0.01));
  const images = Uint8Array.from({ length: 3 * length }, (_, i) => last.images[Math.floor(i / 3)]!);
  const coloured = { ...last, images, channels: 3 };
  const before = resample(coloured, 224, 224, "bicubic");
  for (const same of [coloured, before]) {
    assertEquals([...(await extractor.extract(same)).features], [...features]);
  }
  await assertRejects(
    () => extractor.extract({ ...last, channels: 2, width: 10, images: grey.subarray(0, 400) }),
    RangeError,
    "1 or 3 channels, got 2",
  );
  extractor.destroy();
  const published = await DinoV2Features.create(gpu, dinoV2State(SMALL), DINOV2_SHA256);
  assertEquals(published.name, DINOV2_NAME);
  published.destroy();
});

Deno.test("standardised() takes ImageNet's mean and deviation off each colour", () => {
  const shape = { count: 1, height: 1, width: 2 };
  const images = Uint8Array.of(0, 255, 51, 102, 204, 0);
  const expected = [
    ...[-0.485 / 0.229, (1 - 0.456) / 0.224, (0.2 - 0.406) / 0.225],
    ...[(0.4 - 0.485) / 0.229, (0.8 - 0.456) / 0.224, -0.406 / 0.225],
  ];
  assertAllClose(standardised({ images, ...shape, channels: 3 }), expected, { rtol: 1e-6 });
  const grey = standardised({ images: Uint8Array.of(51, 0), ...shape, channels: 1 });
  const levels = [(0.2 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.2 - 0.406) / 0.225];
  assertAllClose(grey.subarray(0, 3), levels, { rtol: 1e-6 });
});
