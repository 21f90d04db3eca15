/**
 * Replays the augmentation pipe of NVlabs/edm on the random numbers that it drew.
 *
 * @module
 */
import {
  type AugmentSettings,
  drawAugmentation,
  type Draws,
  marginsOf,
} from "../../data/augmentation/draw.ts";
import { EDM_SETTINGS } from "../../data/augmentation/options.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { WARP_REACH } from "../../kernels/layout/warp.ts";
import { augmentInputs, recordAugmentation } from "../../training/augmentation.ts";
import { checkRecorded } from "./feature_checks.ts";
import { type CaseResult, Comparison, type GoldenFile, replay, Unsupported } from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";

/** A case of the manifest. */
interface AugmentCase {
  /** Arguments that differ from the original's defaults. */
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly kwargs_full?: Readonly<Record<string, unknown>>;
  readonly draws: readonly { readonly call: string }[];
}

/** Every case of the file. */
export async function* verifyEdmAugment(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const cases = golden.manifest.cases as Readonly<Record<string, AugmentCase>>;
  for (const [name, one] of Object.entries(cases)) {
    const title = { case: name, family: "edm-augment", op: "augment" };
    yield* replay(title, () => verifyCase(gpu, golden, name, one));
  }
}

/** The original's arguments; `p` is 1 and all else does nothing unless given. */
function settingsOf({ kwargs, kwargs_full: full }: AugmentCase): AugmentSettings {
  const settings: Record<string, number> = { ...EDM_SETTINGS };
  for (const [key, value] of Object.entries({ ...full, ...kwargs })) {
    const name = key === "p"
      ? "probability"
      : key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    if (!(name in settings) || typeof value !== "number") {
      throw new Unsupported(`${key} ${JSON.stringify(value)} is not known`);
    }
    settings[name] = value;
  }
  return settings as unknown as AugmentSettings;
}

/** What the original drew for an image: tensors one after the other, `[N, ...]` or `[k, N, ...]`. */
function recordedDraws(
  golden: GoldenFile,
  name: string,
  calls: AugmentCase["draws"],
  { image, images }: { readonly image: number; readonly images: number },
): Draws {
  let at = 0, part = 0;
  const next = (call: string) => {
    if (calls[at]?.call !== call) {
      throw new Error(`draw ${at} must be ${call}, got ${calls[at]?.call ?? "nothing"}`);
    }
    const { data } = golden.get(`${name}/draw${String(at).padStart(2, "0")}`);
    const value = data[part * images + image]!;
    part++;
    if (part * images === data.length) at++, part = 0;
    return value;
  };
  return {
    uniform: () => next("rand"),
    normal: () => next("randn"),
    below: () => next("randint"),
  };
}

async function verifyCase(
  gpu: Gpu,
  golden: GoldenFile,
  name: string,
  one: AugmentCase,
): Promise<CaseResult> {
  const recorded = golden.get(golden.has(`${name}/images`) ? `${name}/images` : "images");
  const [n = 0, channels = 0, height = 0, width = 0] = recorded.shape;
  const settings = settingsOf(one), sides = { height, width };
  const drawn = Array.from(
    { length: n },
    (_, image) =>
      drawAugmentation(
        settings,
        recordedDraws(golden, name, one.draws, { image, images: n }),
        sides,
      ),
  );
  const capture = new Capture(gpu, name);
  const { data, shape } = fromTorch(recorded, IMAGE);
  const out = capture.keep(
    recordAugmentation(capture, capture.constant(shape, data, "images"), drawn[0]!),
  );
  const program = await capture.plan();
  // The original continues all images of a batch by as many pixels.
  const maps = drawn.flatMap(({ map }) => map ? [map] : []);
  const margins = maps.length > 0 ? marginsOf(maps, sides, WARP_REACH) : undefined;
  program.run(augmentInputs(drawn, { channels, ...sides }, margins));
  const comparison = new Comparison(name, "edm-augment", "augment");
  const ours = toTorch(await program.readF32(out), recorded.shape, IMAGE);
  checkRecorded(golden, comparison, `${name}/out`, ours);
  checkRecorded(golden, comparison, `${name}/labels`, drawn.flatMap(({ label }) => label));
  program.destroy();
  return comparison.result();
}
