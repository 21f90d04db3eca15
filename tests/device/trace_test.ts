import { Capture } from "../../device/capture.ts";
import { addSame } from "../../kernels/elementwise/add.ts";
import { siluForward } from "../../kernels/elementwise/silu.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { randomValues, testGpu } from "../support/gpu.ts";

Deno.test("Program.trace() shows each tensor before and after it is written, and ends as run() does", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "traced");
  const x = capture.input("x", [64]);
  let h = x;
  for (let i = 0; i < 5; i++) h = addSame(capture, siluForward(capture, h), h);
  capture.keep(h);
  const program = await capture.plan();
  const values = randomValues(64, 3);
  program.run({ x: values });
  const expected = await program.read(h);
  program.run({ x: new Float32Array(64) });

  const trace = program.trace({ x: values });
  assertEquals(trace.length, program.dispatchCount);
  for (const { index, kernel, bindings, run } of trace) {
    const output = bindings.find(({ access }) => access !== "read")!;
    const inputs = bindings.filter(({ access }) => access === "read");
    const before = await Promise.all(inputs.map(({ read }) => read()));
    run();
    const after = await output.read();
    assert(kernel.length > 0 && index >= 0 && after.length === 64);
    if (index === 0) assertEquals([...before[0]!], [...values]);
    if (inputs.length === 2) {
      assertEquals(after[5], Math.fround(before[0]![5]! + before[1]![5]!));
    }
  }
  assertEquals(await program.read(h), expected);
  program.destroy();
});
