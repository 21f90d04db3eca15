import { Graph } from "../../../autograd/graph.ts";
import { firstChannels } from "../../../autograd/ops/first_channels.ts";
import { Capture } from "../../../device/capture.ts";
import { denoiserOf } from "../../../diffusion/denoiser.ts";
import { assertEquals } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

for (const [channels, count] of [[3, 1], [8, 4], [6, 3]] as const) {
  Deno.test(`firstChannels() takes ${count} of ${channels} channels; the others' gradient is zero`, async () => {
    const x = operand([5, channels]);
    const out = await differentiate(await testGpu(), [x], ([x]) => firstChannels(x!, count));
    const kept = (_: number, i: number) => i % channels < count;
    assertEquals([...out.y], Array.from(x.values).filter(kept));
    let at = 0;
    assertEquals(
      [...out.grads[0]!],
      Array.from(x.values, (_, i) => kept(0, i) ? out.dy[at++]! : 0),
    );
  });
}

Deno.test("denoiserOf() leaves out what a network predicts beside the images", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test"), graph = new Graph(capture);
  const x = graph.constant(upload(gpu, [1, 1, 2, 1], [1, 2]));
  const both = graph.constant(upload(gpu, [1, 1, 2, 2], [10, 11, 20, 21]));
  const level = capture.input("level", [1], "u32");
  const y = denoiserOf({ forward: () => both })(graph, { x, level });
  assertEquals(denoiserOf({ forward: () => x })(graph, { x, level }), x);
  capture.keep(y.ref);
  const program = await capture.plan();
  program.run({ level: [0] });
  assertEquals([...await program.readF32(y.ref)], [10, 20]);
  program.destroy();
});
