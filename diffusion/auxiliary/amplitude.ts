/**
 * Spectral regularisation by Fourier amplitudes (Chandran et al. 2026, arXiv 2603.02447, section 4.1.2):
 * with F the transform, x0 the clean image and x0' the predicted one,
 *
 *     L = mean_k ||F x0'(k)| - |F x0(k)||
 *
 * Our reading: the transform is orthonormal, and the paper's 1-norm a mean over frequencies and
 * channels, so that a weight means the same at any size.
 *
 * @module
 */
import { amplitude, fft2 } from "../../autograd/ops/fft.ts";
import { l1Loss } from "../../autograd/ops/losses.ts";
import type { AuxiliaryRecord } from "./record.ts";

/** See the module. */
export const AMPLITUDE = {
  description: "Fourier amplitudes of the clean image",
  options: {},
  degree: 1,
  create: () => ({
    record: ({ predicted, clean }) =>
      l1Loss(
        amplitude(fft2(predicted(), { norm: "ortho" })),
        amplitude(fft2(clean, { norm: "ortho" })),
        { perSample: true },
      ),
    owned: [],
  }),
} as const satisfies AuxiliaryRecord;
