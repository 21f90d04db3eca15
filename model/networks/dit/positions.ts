/**
 * Where a token is: sines and cosines of its column, then of its row (Vaswani et al. 2017, in two
 * dimensions as the code of Peebles and Xie 2023 has it).
 *
 * @module
 */

/**
 * `[rows * columns, channels]`, row-major: for each token the sines, then the cosines, of its column
 * times `10000^(-i / (channels / 4))`, and the same of its row. Computed in f64 and cast once.
 *
 * @param channels A multiple of 4.
 */
export function positionTable(
  rows: number,
  columns: number,
  channels: number,
): Float32Array<ArrayBuffer> {
  const quarter = channels / 4;
  const table = new Float32Array(rows * columns * channels);
  for (let token = 0; token < rows * columns; token++) {
    const places = [token % columns, Math.floor(token / columns)];
    for (const [axis, place] of places.entries()) {
      for (let i = 0; i < quarter; i++) {
        const angle = place * 10000 ** (-i / quarter);
        const at = token * channels + 2 * axis * quarter + i;
        table[at] = Math.sin(angle);
        table[at + quarter] = Math.cos(angle);
      }
    }
  }
  return table;
}
