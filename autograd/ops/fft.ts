/**
 * Fourier transforms and what is made of them. A complex tensor has a last axis of 2; its gradient
 * holds the derivatives with respect to real and imaginary part, as PyTorch's does.
 *
 * @module
 */
import { fourierShape, fourierTransform } from "../../kernels/fft/fft2.ts";
import {
  spectrumBackward,
  spectrumForward,
  type SpectrumFunction,
} from "../../kernels/fft/spectrum.ts";
import type { Tensor } from "../tensor.ts";

/** Choices of a transform. */
export interface FourierNorm {
  /**
   * "backward": the inverse is divided by H W and the forward transform is not; "ortho": both are
   * divided by sqrt(H W). "backward" unless given.
   */
  readonly norm?: "backward" | "ortho";
}

/**
 * The 2-D transform of every channel.
 *
 * @param x `[N, H, W, C]` or complex `[N, H, W, C, 2]`; H and W of 1 to 65535; large prime factors
 *   are slow.
 * @returns `[N, H, W, C, 2]`
 * @throws {RangeError} When the shape or a length is not supported.
 */
export function fft2(x: Tensor, options: FourierNorm = {}): Tensor {
  return transform(x, false, options);
}

/** The inverse of {@linkcode fft2}; same shapes. */
export function ifft2(x: Tensor, options: FourierNorm = {}): Tensor {
  return transform(x, true, options);
}

/** |z|, `[..., 2]` to `[...]`; its gradient at 0 is 0. */
export function amplitude(z: Tensor): Tensor {
  return spectrum(z, "amplitude");
}

/** |z|^2, `[..., 2]` to `[...]`. */
export function power(z: Tensor): Tensor {
  return spectrum(z, "power");
}

/** log(|z| + 1e-8), `[..., 2]` to `[...]`; its gradient at 0 is 0. */
export function logAmplitude(z: Tensor): Tensor {
  return spectrum(z, "log-amplitude");
}

/** log(1 + |z|), `[..., 2]` to `[...]`; its gradient at 0 is 0. */
export function log1pAmplitude(z: Tensor): Tensor {
  return spectrum(z, "log1p-amplitude");
}

/** The adjoint of a transform is the one of the other direction with the same factor. */
function transform(x: Tensor, inverse: boolean, { norm = "backward" }: FourierNorm): Tensor {
  const { capture } = x.graph;
  const { height, width, complex } = fourierShape(x.shape);
  const points = height * width;
  const scale = norm === "ortho" ? 1 / Math.sqrt(points) : inverse ? 1 / points : 1;
  return x.graph.record({
    op: inverse ? "ifft2" : "fft2",
    inputs: [x],
    output: fourierTransform(capture, x.ref, { inverse, scale }),
    backward: (dy) => [
      fourierTransform(capture, dy, { inverse: !inverse, scale, realOutput: !complex }),
    ],
  });
}

function spectrum(z: Tensor, name: SpectrumFunction): Tensor {
  const { capture } = z.graph;
  return z.graph.record({
    op: name,
    inputs: [z],
    output: spectrumForward(capture, z.ref, name),
    backward: (dy) => [spectrumBackward(capture, z.ref, dy, name)],
  });
}
