/**
 * The product of two square matrices, as peers measure it.
 *
 * @module
 */
import { matmul } from "../kernels/matmul/matmul.ts";
import { matmulReference } from "../tests/reference/matmul.ts";
import { assertAllClose } from "../tests/support/assert.ts";
import { randomValues, upload } from "../tests/support/gpu.ts";
import type { BenchCase } from "./bench_case.ts";
import { programRun } from "./program_run.ts";

const SIDE = 768;
/** Rows that are compared, spread over the tiles. */
const CHECKED_ROWS = [0, 15, 300, 511, 767];

/** `C = A B` of 768 x 768. */
export const MATMUL: readonly BenchCase[] = [{
  name: "matmul768",
  summary: "the product of two matrices of 768 x 768",
  unit: "GFLOP/s",
  ceiling: "multiply_add",
  open(gpu) {
    const a = randomValues(SIDE * SIDE, 1), b = randomValues(SIDE * SIDE, 2);
    const refs = [a, b].map((data) => upload(gpu, [SIDE, SIDE], data));
    return programRun(gpu, {
      work: 2 * SIDE ** 3,
      inputs: refs,
      record: (capture) => ({
        c: matmul(capture, {
          a: { tensor: refs[0]!, row: SIDE },
          b: { tensor: refs[1]!, row: SIDE },
          m: SIDE,
          n: SIDE,
          k: SIDE,
        }),
      }),
      async validate(read) {
        const c = await read("c");
        for (const row of CHECKED_ROWS) {
          const expected = matmulReference(
            1,
            SIDE,
            SIDE,
            (_, k) => a[row * SIDE + k]!,
            (k, j) => b[k * SIDE + j]!,
          );
          const actual = c.subarray(row * SIDE, (row + 1) * SIDE);
          assertAllClose(actual, expected, { rtol: 1e-5, atol: 1e-4, name: `row ${row}` });
        }
      },
    });
  },
}];
