import { join } from "node:path";
import { writeNpz } from "../../../formats/npy.ts";
import { readStatistics, writeStatistics } from "../../../metrics/judges/statistics_file.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

const MEAN = Float64Array.of(0.5, -1), COVARIANCE = Float64Array.of(2, 0.25, 0.25, 1);

Deno.test("readStatistics() reads what writeStatistics() wrote", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "stats.npz");
    const statistics = {
      ...{ dimension: 2, mean: MEAN, covariance: COVARIANCE },
      ...{ count: 50_000, features: "own classifier of Größe" },
    };
    await writeStatistics(path, statistics);
    assertEquals(await readStatistics(path), statistics);
  });
});

Deno.test("readStatistics() reads mu and sigma alone, in f32 too", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "stats.npz");
    const arrays = (dtype: "F64" | "F32") =>
      writeNpz([
        ["mu", { dtype, shape: [2], data: dtype === "F64" ? MEAN : Float32Array.from(MEAN) }],
        ["sigma", {
          ...{ dtype, shape: [2, 2] },
          data: dtype === "F64" ? COVARIANCE : Float32Array.from(COVARIANCE),
        }],
      ], { compress: true });
    for (const dtype of ["F64", "F32"] as const) {
      await Deno.writeFile(path, arrays(dtype));
      assertEquals(await readStatistics(path), {
        ...{ dimension: 2, mean: MEAN, covariance: COVARIANCE, count: null, features: null },
      });
    }
  });
});

Deno.test("readStatistics() refuses files without fitting mu and sigma", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "stats.npz");
    const mu = { dtype: "F64", shape: [2], data: MEAN } as const;
    const cases: [Parameters<typeof writeNpz>[0], string][] = [
      [[["mu", mu]], "it must hold mu [d] and sigma [d, d]"],
      [[["mu", mu], ["sigma", mu]], "sigma must be [2, 2]"],
      [[["mu", { dtype: "I32", shape: [1], data: Int32Array.of(1) }], ["sigma", {
        ...{ dtype: "F64", shape: [1, 1], data: Float64Array.of(1) },
      }]], "mu must be f32 or f64"],
    ];
    for (const [arrays, message] of cases) {
      await Deno.writeFile(path, writeNpz(arrays));
      await assertRejects(() => readStatistics(path), Error, message);
    }
    await assertRejects(() => readStatistics(join(folder, "none.npz")), Error, "Cannot read");
  });
});
