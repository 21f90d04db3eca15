import { Capture } from "../../device/capture.ts";
import { idleTime } from "../../device/idle_meter.ts";
import { siluForward } from "../../kernels/elementwise/silu.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { randomTensor, testGpu } from "../support/gpu.ts";

Deno.test("idleTime() adds up the gaps between stretches of work, overlaps apart", () => {
  assertEquals(idleTime([]), { totalMs: 0, idleMs: 0 });
  const ms = [[5, 7], [7, 9], [12, 20], [14, 15], [16, 18], [21, 22]];
  const ticks = ms.flat().map((value) => BigInt(value * 1e6));
  assertEquals(idleTime(ticks), { totalMs: 17, idleMs: 4 });
});

Deno.test("Gpu.measureIdle() sees the time in which a host hands over nothing", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "work");
  let y = randomTensor(gpu, [1 << 18]);
  for (let i = 0; i < 8; i++) y = siluForward(capture, y);
  capture.keep(y);
  const program = await capture.plan();
  program.run();
  await gpu.finish();
  const measure = (waitMs: number) =>
    gpu.measureIdle(async () => {
      for (let i = 0; i < 3; i++) {
        program.run();
        await gpu.finish();
        const until = performance.now() + waitMs;
        while (performance.now() < until);
      }
    });
  const waiting = await measure(30);
  if (!gpu.has("timestamp-query")) return assertEquals(waiting, null);
  // Two gaps lie between three submits.
  assert(waiting!.idleMs >= 55, JSON.stringify(waiting));
  assert(waiting!.totalMs > waiting!.idleMs, JSON.stringify(waiting));
  const { submits } = gpu.counters;
  const running = await gpu.measureIdle(() => {
    for (let i = 0; i < 3; i++) program.run();
    return gpu.finish();
  });
  assertEquals(gpu.counters.submits - submits, 3 + 1);
  assert(running!.idleMs < waiting!.idleMs, JSON.stringify({ running, waiting }));
  program.destroy();
});
