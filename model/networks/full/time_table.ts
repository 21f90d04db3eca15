/**
 * The notebook's table of timesteps.
 *
 * @module
 */

/**
 * `[timesteps, columns]`, row-major. From `v[i, j] = i / 10000^(2 j / columns)` even rows become `sin(v)`,
 * and then row `1 - 2 k`, counted from the end where it is negative, `cos` of row `2 k`: sines and
 * cosines alternate over timesteps, most of which are in reverse. The code meant columns. It computes
 * in f32, which counts where angles are large.
 */
export function notebookTable(timesteps: number, columns: number): Float32Array<ArrayBuffer> {
  const rows = Array.from(
    { length: timesteps },
    (_, i) =>
      Array.from({ length: columns }, (_, j) => {
        const value = Math.fround(i / 10000 ** (2 * j / columns));
        return i % 2 === 0 ? Math.fround(Math.sin(value)) : value;
      }),
  );
  const sines = Array.from({ length: Math.ceil(timesteps / 2) }, (_, k) => rows[2 * k]!);
  sines.forEach((row, k) => {
    const at = 1 - 2 * k;
    rows[at < 0 ? timesteps + at : at] = row.map(Math.cos);
  });
  return Float32Array.from(rows.flat());
}
