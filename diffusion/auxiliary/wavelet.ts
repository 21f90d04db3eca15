/**
 * Spectral regularisation by wavelets (Chandran et al. 2026, arXiv 2603.02447, section 4.2.2): with W_s
 * the coefficients of scale s in all orientations and g_s their weight,
 *
 *     L = sum_s g_s |W_s x0' - W_s x0|_1 / (h w c)
 *
 * of the orthonormal Haar wavelets, one of the paper's two; the coarsest approximation is a scale of
 * its own. Our reading: the paper's 1-norms are divided by the number of pixels and channels, weights
 * are 1 unless given, and the transform goes three levels deep where the sides allow it.
 *
 * @module
 */
import { haar } from "../../autograd/ops/haar.ts";
import { l1Loss } from "../../autograd/ops/losses.ts";
import { haarLevels } from "../../kernels/layout/haar.ts";
import { decimal, integer, list, nullable, option, type OptionsOf } from "../../support/options.ts";
import type { AuxiliaryRecord, ImageSides } from "./record.ts";

const OPTIONS = {
  depth: option(
    nullable(integer({ min: 1 })),
    null,
    "Levels of the transform; null = as often as the sides can be halved, at most 3",
  ),
  details: option(
    list(decimal({ min: 0 })),
    [1],
    "Weights of details by level, the finest first, the last for all coarser ones",
  ),
  approximation: option(decimal({ min: 0 }), 1, "Weight of the coarsest approximation"),
};

type Options = OptionsOf<typeof OPTIONS>;

const MOST_LEVELS = 3;

/** Weights of bands as kernels/layout/haar.ts has them. */
export function waveletWeights({ details, approximation }: Options, levels: number): number[] {
  const scales = Array.from({ length: levels }, (_, j) => details[j] ?? details.at(-1)!);
  return [...scales.flatMap((weight) => [weight, weight, weight]), approximation];
}

/** Why images of a size cannot be transformed. */
function misfit({ depth }: Options, { height, width }: ImageSides) {
  const most = haarLevels(height, width, depth ?? MOST_LEVELS);
  if (most === (depth ?? Math.max(1, most))) return null;
  return {
    key: "depth",
    rule: most === 0
      ? `go with sides that can be halved, of ${height} x ${width} one is odd`
      : `be at most ${most}, as often as ${height} x ${width} can be halved`,
  };
}

/** See the module. */
export const WAVELET = {
  description: "Haar wavelet coefficients of the clean image",
  options: OPTIONS,
  degree: 1,
  misfit,
  create(gpu, options, size) {
    const broken = misfit(options, size);
    if (broken) throw new RangeError(`Cannot compare wavelets: ${broken.key} must ${broken.rule}`);
    const levels = haarLevels(size.height, size.width, options.depth ?? MOST_LEVELS);
    const values = waveletWeights(options, levels);
    const weights = gpu.tensor([values.length], {
      data: Float32Array.from(values),
      label: "weights of wavelet bands",
    });
    return {
      record: ({ predicted, clean }) =>
        l1Loss(haar(predicted(), weights), haar(clean, weights), { perSample: true }),
      owned: [weights],
    };
  },
} as const satisfies AuxiliaryRecord<Options>;
