/**
 * Small files that other programs wrote; tests/golden/formats/README.md says which, and what is in
 * them.
 *
 * @module
 */

const read = (name: string) =>
  Deno.readFileSync(new URL(`../golden/formats/${name}`, import.meta.url));

/** The files by name. */
export const FOREIGN_FILES = {
  parquetSnappy: read("snappy.parquet"),
  parquetGzip: read("gzip.parquet"),
  parquetBrotli: read("brotli.parquet"),
  parquetZstd: read("zstd.parquet"),
  parquetLz4: read("lz4.parquet"),
  matCompressed: read("svhn.mat"),
  matPlain: read("plain.mat"),
  npz: read("medmnist.npz"),
  cifar100Protocol2: read("cifar100-protocol-2.pickle"),
  cifar100Protocol4: read("cifar100-protocol-4.pickle"),
  lmdb: read("pictures.mdb"),
};

/** Images by the files' formula, [count, height, width, channels]. */
export function formulaImages(
  count: number,
  height: number,
  width: number,
  channels: number,
): Uint8Array {
  const images = new Uint8Array(count * height * width * channels);
  let at = 0;
  for (let n = 0; n < count; n++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < channels; c++) images[at++] = 50 * n + 3 * y + 5 * x + 40 * c;
      }
    }
  }
  return images;
}
