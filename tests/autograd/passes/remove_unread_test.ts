import { removeUnread } from "../../../autograd/passes/remove_unread.ts";
import { Capture } from "../../../device/capture.ts";
import { addInto } from "../../../kernels/elementwise/add.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { assertEquals } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";

Deno.test("removeUnread() takes out chains that lead nowhere and keeps what is read, kept or persistent", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const x = upload(gpu, [4], [1, 2, 3, 4]), total = upload(gpu, [4], [0, 0, 0, 0]);
  const outside = scaleForward(capture, x, 1);
  const first = capture.dispatches.length;
  const used = scaleForward(capture, x, 2);
  const kept = capture.keep(scaleForward(capture, x, 3));
  scaleForward(capture, scaleForward(capture, scaleForward(capture, used, 5), 6), 7);
  addInto(capture, total, scaleForward(capture, x, 11));
  const unread = scaleForward(capture, outside, 13);
  addInto(capture, unread, x);
  const end = capture.dispatches.length;
  const result = capture.keep(scaleForward(capture, used, 17));
  removeUnread(capture, first, end);
  // Left: used, kept and the two of the sum inside; one before and one after.
  assertEquals(capture.dispatches.length, 6);
  const program = await capture.plan();
  program.run();
  assertEquals([...await program.read(result)], [34, 68, 102, 136]);
  assertEquals([...await program.read(kept)], [3, 6, 9, 12]);
  assertEquals([...await gpu.read(total)], [11, 22, 33, 44]);
});
