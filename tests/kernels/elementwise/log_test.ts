import { Capture } from "../../../device/capture.ts";
import { logForward } from "../../../kernels/elementwise/log.ts";
import { reciprocalForward } from "../../../kernels/elementwise/reciprocal.ts";
import { assert } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";

/** What a kernel makes of numbers from 1e-30 to 1e30, and of some around 1. */
async function over(op: typeof logForward) {
  const x = Float32Array.from({ length: 1001 }, (_, i) => 10 ** ((i - 500) * 0.06));
  const near = Float32Array.from({ length: 300 }, (_, i) => 0.7 + i * 0.003);
  const values = Float32Array.of(...x, ...near, 1, 0.5, 2, 1.41421354, 1.41421366);
  const capture = new Capture(await testGpu(), "test");
  const y = capture.keep(op(capture, capture.input("x", [values.length])));
  const program = await capture.plan();
  program.run({ x: values });
  const found = await program.readF32(y);
  program.destroy();
  return { values, found };
}

Deno.test("logForward() is within two units in the last place, and absolutely near 1", async () => {
  const { values, found } = await over(logForward);
  for (const [i, value] of values.entries()) {
    const exact = Math.log(value), error = Math.abs(found[i]! - exact);
    assert(error <= 2 ** -22 * Math.abs(exact) + 6e-8, `log ${value}: off by ${error}`);
  }
});

Deno.test("reciprocalForward() divides", async () => {
  const { values, found } = await over(reciprocalForward);
  for (const [i, value] of values.entries()) {
    assert(Math.abs(found[i]! * value - 1) < 4e-7, `1 / ${value}`);
  }
});
