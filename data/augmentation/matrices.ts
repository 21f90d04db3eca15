/**
 * Affine maps of the plane and of colours as square matrices of homogeneous coordinates.
 *
 * @module
 */

/** Rows of a square matrix. */
export type Matrix = readonly (readonly number[])[];

/** The matrix that changes nothing. */
export function identity(size: number): Matrix {
  return Array.from(
    { length: size },
    (_, row) => Array.from({ length: size }, (_, column) => row === column ? 1 : 0),
  );
}

/** The product, whose last factor is applied first. */
export function product(...factors: readonly [Matrix, ...Matrix[]]): Matrix {
  return factors.reduce((a, b) =>
    a.map((row) =>
      b.map((_, column) => row.reduce((sum, value, k) => sum + value * b[k]![column]!, 0))
    )
  );
}

/** Moves by a vector. */
export function translation(...by: readonly number[]): Matrix {
  const size = by.length;
  return identity(size + 1).map((row, i) => i < size ? [...row.slice(0, size), by[i]!] : row);
}

/** Multiplies each coordinate by a factor. */
export function scaling(...by: readonly number[]): Matrix {
  return identity(by.length + 1).map((row, i) => row.map((value) => value * (by[i] ?? 1)));
}

/** Turns the plane by an angle in radians. */
export function rotation(angle: number): Matrix {
  const c = Math.cos(angle), s = Math.sin(angle);
  return [[c, -s, 0], [s, c, 0], [0, 0, 1]];
}

/** Turns colours about the axis of grey by an angle in radians (Rodrigues). */
export function greyRotation(angle: number): Matrix {
  const c = Math.cos(angle), s = Math.sin(angle) / Math.sqrt(3), rest = (1 - c) / 3;
  return [
    [rest + c, rest - s, rest + s, 0],
    [rest + s, rest + c, rest - s, 0],
    [rest - s, rest + s, rest + c, 0],
    [0, 0, 0, 1],
  ];
}

/** Multiplies colours along the axis of grey by one factor and across it by another. */
export function greyScaling(along: number, across: number): Matrix {
  return identity(4).map((row, i) =>
    row.map((value, j) => i < 3 && j < 3 ? across * value + (along - across) / 3 : value)
  );
}
