import { makeProcess } from "../../../diffusion/process.ts";
import { LinearLearning } from "../../../metrics/theory/linear_learning.ts";
import { assertAllClose } from "../../support/assert.ts";

for (const target of ["epsilon", "x0", "v", "edm"] as const) {
  Deno.test(`LinearLearning is gradient descent in f64, step by step, for target ${target}`, () => {
    const process = makeProcess({
      ...{ timesteps: 6, schedule: "linear", betaStart: 1e-3, betaEnd: 0.4, target },
      ...{ weighting: "uniform", variance: "fixedlarge", clipX0: false, sigmaData: 0.3 },
    });
    const lr = 3, length = 16, variance = 0.7, bins = 2;
    const theory = new LinearLearning({ process, bins, lr, length });
    const { schedule, tables } = process;
    // The clean image and the noise as orthogonal vectors: a mean square is a squared length.
    const pairs = schedule.levels.map(({ signal, noise }, row) => {
      const x = [signal * Math.sqrt(variance), noise], { x0, noise: e, xt } = tables.target;
      const scale = tables.inputScale?.[row] ?? 1;
      return {
        input: x.map((value) => scale * value),
        wanted: [
          x0[row]! * Math.sqrt(variance) + xt[row]! * x[0]!,
          e[row]! + xt[row]! * x[1]!,
        ],
      };
    });
    const weights = [0, 0];
    const errorsOf = ({ input, wanted }: (typeof pairs)[number], w: number) =>
      input.map((value, i) => w * value - wanted[i]!);
    for (let step = 0; step <= 40; step++) {
      for (const [row, pair] of pairs.entries()) {
        const w = weights[Math.floor(row / 3)]!;
        assertAllClose([theory.weight(variance, row, step)], [w], { atol: 1e-12 });
        const loss = errorsOf(pair, w).reduce((sum, value) => sum + value * value, 0);
        const expected = loss * tables.toNoise.output[row]! ** 2;
        assertAllClose([theory.noiseLoss(variance, row, step)], [expected], {
          rtol: 1e-9,
          atol: 0,
        });
      }
      for (const bin of [0, 1]) {
        // The loss is the mean over levels, and over the values of an image.
        const slope = pairs.slice(3 * bin, 3 * bin + 3).reduce((sum, pair) => {
          const errors = errorsOf(pair, weights[bin]!);
          return sum + 2 * errors.reduce((inner, value, i) => inner + value * pair.input[i]!, 0);
        }, 0) / pairs.length / length;
        weights[bin] = weights[bin]! - lr * slope;
      }
    }
  });
}
