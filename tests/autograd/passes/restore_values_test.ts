import { restoreValues } from "../../../autograd/passes/restore_values.ts";
import { Capture } from "../../../device/capture.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { addInto } from "../../../kernels/elementwise/add.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { groupNormBackward, groupNormForward } from "../../../kernels/norm/group_norm.ts";
import { assertEquals } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";

const SHAPE = [2, 5, 3, 8];

/** What one case does between making y again and its gradient. */
interface Case {
  /** Reads the values. */
  readonly use: (capture: Capture, y: TensorRef, dy: TensorRef) => TensorRef;
  readonly after?: (capture: Capture, used: TensorRef, dy: TensorRef) => TensorRef;
  /** Whether the upstream gradient is wanted when all is over. */
  readonly held?: boolean;
}

/** A normalisation whose output is made again, read and differentiated; its kernels and results. */
async function restore({ use, after, held }: Case) {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "restore");
  const tensor = (shape: readonly number[], seed: number) =>
    upload(gpu, shape, randomValues(shape.reduce((a, b) => a * b, 1), seed));
  const x = tensor(SHAPE, 1), weight = tensor([8], 2), bias = tensor([8], 3);
  const options = { groups: 2, eps: 1e-5, silu: true };
  const { mean, rstd } = groupNormForward(capture, x, weight, bias, options);
  const first = capture.dispatches.length;
  const dy = scaleForward(capture, tensor(SHAPE, 4), 1);
  const before = capture.dispatches.length;
  // x, too, is made again.
  const again = scaleForward(capture, x, 1);
  const { y } = groupNormForward(capture, again, weight, bias, options);
  const remade = new Set(capture.dispatches.slice(before));
  const used = use(capture, y, dy);
  const saved = { x: again, weight, bias, mean, rstd };
  const dx = groupNormBackward(capture, saved, dy, options).dx!;
  const results = [used, dx, ...after ? [after(capture, used, dy)] : []];
  for (const result of results) capture.keep(result);
  const run = async () => {
    const plan = await capture.plan();
    plan.run();
    const values = await Promise.all(results.map((result) => plan.readF32(result)));
    plan.destroy();
    return values;
  };
  const names = () => capture.dispatches.slice(first).map(({ kernel }) => kernel.name);
  const apart = { names: names(), values: await run() };
  const wanted = new Set(held ? [dy.storage] : []);
  restoreValues(capture, { first, remade, held: wanted });
  return { apart, restored: { names: names(), values: await run() } };
}

const scaled = (capture: Capture, y: TensorRef) => scaleForward(capture, y, 3);

Deno.test("restoreValues() has an op's gradient make its output again, and readers wait for it", async () => {
  const { apart, restored } = await restore({ use: scaled });
  assertEquals(restored.values, apart.values);
  const brief = (names: string[]) => names.map((name) => name.split(".")[0]!);
  assertEquals(brief(apart.names), [
    ...["scale", "scale", "groupNormSilu", "scale", "groupNormSiluBackward"],
  ]);
  assertEquals(brief(restored.names), ["scale", "scale", "groupNormSiluBackward", "scale"]);
  assertEquals(restored.names[2]!.includes("+y"), true);
});

const REFUSED: Readonly<Record<string, Case>> = {
  "is wanted at the end": { use: scaled, held: true },
  "is read later": {
    use: scaled,
    after: (capture, _, dy) => scaleForward(capture, dy, 5),
  },
  "depends on a reader": {
    use: (capture, y, dy) => {
      const used = scaled(capture, y);
      addInto(capture, dy, used);
      return used;
    },
  },
};

for (const [why, refused] of Object.entries(REFUSED)) {
  Deno.test(`restoreValues() leaves the list alone where the upstream gradient ${why}`, async () => {
    const { apart, restored } = await restore(refused);
    assertEquals(restored, apart);
  });
}
