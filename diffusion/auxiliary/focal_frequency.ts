/**
 * The focal frequency loss (Jiang et al. 2021, arXiv 2012.12821, equations 8 and 9, and the authors'
 * code): with d = F x0' - F x0 the difference of orthonormal transforms,
 *
 *     L = mean_k w(k) |d(k)|^2,    w(k) = |d(k)|^alpha / max |d|^alpha
 *
 * where nothing is learnt through w, so that frequencies count the more the further off they are; kernels/
 * fft/focal_weights.ts has w. It may be taken on patches, each with weights of its own. The paper's is a
 * loss of reconstructions; ours is of the clean image that a prediction implies. Its variants that
 * average spectra or weights over the batch are left out: a sample's loss would depend on how a batch
 * is cut into parts.
 *
 * @module
 */
import { fft2, power } from "../../autograd/ops/fft.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { patchify } from "../../autograd/ops/patches.ts";
import { mean } from "../../autograd/ops/reduce.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { focalWeights } from "../../kernels/fft/focal_weights.ts";
import { decimal, flag, integer, nullable, option, type OptionsOf } from "../../support/options.ts";
import type { AuxiliaryRecord, ImageSides } from "./record.ts";

const OPTIONS = {
  alpha: option(decimal({ above: 0 }), 1, "Exponent of the weight of a frequency"),
  logarithm: option(flag(), false, "Take the logarithm of weights before they are scaled"),
  patch: option(
    nullable(integer({ min: 2 })),
    null,
    "Side of the patches that are transformed; null = the image",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

function misfit({ patch }: Options, { height, width }: ImageSides) {
  if (patch === null || height % patch === 0 && width % patch === 0) return null;
  return { key: "patch", rule: `divide the sides of the images, ${height} x ${width}` };
}

/** See the module. */
export const FOCAL_FREQUENCY = {
  description: "the Fourier transform of the clean image where it is furthest off",
  options: OPTIONS,
  degree: 2,
  misfit,
  create(_, { alpha, logarithm, patch }, size) {
    const broken = misfit({ alpha, logarithm, patch }, size);
    if (broken) throw new RangeError(`Cannot compare patches: ${broken.key} must ${broken.rule}`);
    return {
      record({ residual }) {
        const difference = residual();
        const [samples = 0, height = 0, width = 0, channels = 0] = difference.shape;
        const parts = patch === null ? difference : reshape(
          patchify(difference, patch),
          [samples * height * width / patch ** 2, patch, patch, channels],
        );
        const z = fft2(parts, { norm: "ortho" });
        const { graph } = z;
        const weights = focalWeights(graph.capture, z.ref, { alpha, logarithm });
        const weighted = mul(power(z), graph.constant(weights));
        return mean(reshape(weighted, difference.shape), { axes: [1, 2, 3] });
      },
      owned: [],
    };
  },
} as const satisfies AuxiliaryRecord<Options>;
