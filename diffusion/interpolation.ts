/**
 * Between two samples: where sampling draws no noise, an image is a function of the noise that it
 * starts from, and what lies between two such noises gives images between two images (Song, Meng and
 * Ermon 2021, arXiv 2010.02502, section 5.3 and appendix D.5).
 *
 * @module
 */

/**
 * Spherical interpolation (Shoemake 1985), which keeps the length of noise where a straight line would
 * pass through shorter vectors: with t the angle between a and b,
 *
 *     (sin((1 - share) t) a + sin(share t) b) / sin t
 *
 * @param share From 0, which is `a` bit for bit, to 1, which is `b`.
 * @throws {RangeError} When lengths differ.
 */
export function slerp(a: Float32Array, b: Float32Array, share: number): Float32Array<ArrayBuffer> {
  if (a.length !== b.length) {
    throw new RangeError(
      `Cannot interpolate: both ends must have as many values, got ${a.length} and ${b.length}`,
    );
  }
  const angle = angleBetween(a, b);
  const sine = Math.sin(angle);
  // Along one line there is no arc: the straight way is the limit.
  const straight = sine < 1e-9;
  const ofA = straight ? 1 - share : Math.sin((1 - share) * angle) / sine;
  const ofB = straight ? share : Math.sin(share * angle) / sine;
  return Float32Array.from(a, (value, i) => ofA * value + ofB * b[i]!);
}

/** The angle between two vectors, 0 to pi. */
function angleBetween(a: Float32Array, b: Float32Array): number {
  let dot = 0, squareA = 0, squareB = 0;
  a.forEach((value, i) => {
    dot += value * b[i]!;
    squareA += value * value;
    squareB += b[i]! * b[i]!;
  });
  const cosine = dot / Math.sqrt(squareA * squareB);
  return Math.acos(Math.max(-1, Math.min(1, cosine)));
}
