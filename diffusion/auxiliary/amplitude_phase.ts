/**
 * Spectral regularisation by Fourier amplitudes and phases (Chandran et al. 2026, arXiv 2603.02447,
 * section 4.1.2): with A and phi the amplitude and phase of the clean image's transform, A' and phi'
 * those of the predicted one's,
 *
 *     L = mean_k |A'(k) - A(k)| (1 + |phi'(k) - phi(k)|)
 *
 * Our reading: the paper's norms are taken frequency by frequency, as it says that phases count by the
 * amplitude of their band; a difference of phases is the shorter way around, at most pi, as branch cuts
 * are what it warns of; transform and mean are as in amplitude.ts.
 *
 * @module
 */
import { amplitudePhase } from "../../autograd/ops/amplitude_phase.ts";
import { fft2 } from "../../autograd/ops/fft.ts";
import { mean } from "../../autograd/ops/reduce.ts";
import type { AuxiliaryRecord } from "./record.ts";

/** See the module. */
export const AMPLITUDE_PHASE = {
  description: "Fourier amplitudes of the clean image, the more where phases differ",
  options: {},
  degree: 1,
  create: () => ({
    record: ({ predicted, clean }) =>
      mean(
        amplitudePhase(fft2(predicted(), { norm: "ortho" }), fft2(clean, { norm: "ortho" })),
        { axes: [1, 2, 3] },
      ),
    owned: [],
  }),
} as const satisfies AuxiliaryRecord;
