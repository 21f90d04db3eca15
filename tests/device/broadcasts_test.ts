import { hasSlowBroadcasts } from "../../device/broadcasts.ts";
import { isCpu } from "../../device/cpu_lanes.ts";
import { openGpu } from "../../device/open_gpu.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { chosenProvider } from "../../commands/shared/gpu.ts";
import { assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { pretending } from "../support/wide_gpu.ts";

Deno.test("openGpu() measures the broadcasts of CPU drivers alone", async () => {
  const shared = await testGpu();
  const gpu = await openGpu({ provider: chosenProvider(), platform: Deno.build.os });
  assertEquals(gpu.counters.pipelines, isCpu(gpu) ? 1 : 0);
  gpu.destroy();
  const { submits } = shared.counters;
  assertEquals(await hasSlowBroadcasts(pretending(shared, "subgroupSize", 32)), false);
  assertEquals(shared.counters.submits, submits);
});

Deno.test("hasSlowBroadcasts() compares runs with broadcasts to those without", async () => {
  const gpu = await testGpu();
  if (!isCpu(gpu)) return;
  // The first run has broadcasts, the next has none, and so on.
  for (const delayed of [0, 1]) {
    let runs = 0;
    const finish = async () => {
      await gpu.finish();
      if (runs++ % 2 === delayed) await new Promise((resolve) => setTimeout(resolve, 60));
    };
    assertEquals(await hasSlowBroadcasts(pretending(gpu, "finish", finish)), delayed === 0);
  }
});

Deno.test("planningGpu() knows whether broadcasts are slow", async () => {
  const gpu = await testGpu();
  for (const slow of [true, false]) {
    assertEquals(planningGpu(pretending(gpu, "slowBroadcasts", slow)).slowBroadcasts, slow);
  }
});
