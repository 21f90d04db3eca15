import type { TrainingLine } from "../../../commands/page/app/live_training.ts";
import { checkDrawing, checkTraining, type Finding } from "../../../dev/page_check/checks.ts";
import { difference } from "../../../dev/page_check/compare.ts";
import type { CountedSide, Drawn, Training } from "../../../dev/page_check/sides.ts";
import { compareSpeed } from "../../../dev/page_check/speed.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";

/** What a made-up side does. */
interface Behaviour {
  readonly images?: readonly number[];
  /** Of a step, counted from 0. */
  readonly loss?: (step: number) => number;
  /** Buffers that it makes in ten steps, and bytes that it keeps of a run. */
  readonly leak?: { readonly buffers?: number; readonly kept?: number };
  readonly milliseconds?: number;
}

function sideOf(behaviour: Behaviour = {}): CountedSide {
  const { images = [0, 0.5], loss = (step) => 1 / (step + 1), leak = {} } = behaviour;
  const { milliseconds = 10 } = behaviour;
  const counters = {
    ...{ buffers: 1, bufferBytes: 0, textures: 0, bindGroups: 0, pipelines: 0 },
    ...{ shaderModules: 0, submits: 0 },
  };
  const train = async ({ steps, until = steps, onLine }: Training): Promise<TrainingLine[]> => {
    const lines: TrainingLine[] = [];
    for (let step = 0; step < until; step += 10) {
      const losses = Array.from({ length: 10 }, (_, i) => loss(step + i));
      counters.buffers += leak.buffers ?? 0;
      lines.push({ step: step + 10, loss: 0, losses, bands: [], byBand: [], milliseconds });
      await onLine?.(lines.at(-1)!);
    }
    counters.bufferBytes += leak.kept ?? 0;
    return lines;
  };
  return {
    name: `${milliseconds} ms`,
    draw: (): Promise<Drawn> => Promise.resolve({ images, milliseconds }),
    train,
    counters: () => Promise.resolve({ ...counters }),
  };
}

/** The findings of training that do not hold; `grown` bytes of heap a reading. */
async function complaints(page: CountedSide, grown = 0): Promise<string[]> {
  let heap = 1e6;
  const memory = () => Promise.resolve({ heap: heap += grown, gpuProcess: NaN });
  const { findings } = await checkTraining(page, sideOf(), { steps: 20, memorySteps: 60, memory });
  return findings.filter(({ holds }: Finding) => !holds).map(({ what }) => what);
}

Deno.test("checkTraining() finds other losses, and what a page keeps", async () => {
  assertEquals(await complaints(sideOf()), []);
  const apart = sideOf({ loss: (step) => (step === 19 ? 1.001 : 1) / (step + 1) });
  assertEquals(await complaints(apart), ["losses of 20 steps"]);
  const rising = sideOf({ loss: (step) => step + 1 });
  assertEquals(await complaints(rising), ["losses of 20 steps", "the loss falls"]);
  assertEquals(await complaints(sideOf({ loss: () => NaN })), [
    "losses of 20 steps",
    "the loss falls",
  ]);
  assertEquals(await complaints(sideOf({ leak: { buffers: 1 } })), [
    "GPU objects made in these steps",
  ]);
  assertEquals(await complaints(sideOf({ leak: { kept: 16 } })), [
    "bytes that buffers hold after a run, more than before",
  ]);
  assertEquals(await complaints(sideOf(), 20 * 1024), ["JavaScript's heap, steps 30 to 60"]);
});

Deno.test("checkDrawing() lets round-off pass, and no more", async () => {
  for (const [apart, holds] of [[0, true], [9e-6, true], [2e-5, false], [NaN, false]] as const) {
    const [found] = await checkDrawing(sideOf({ images: [0, 0.5 + apart] }), sideOf(), 1);
    assertEquals(found!.holds, holds, `${apart}`);
  }
  assertEquals(difference([1, 2, 4], [1, 2, 5], true), { worst: 0.2, same: 2, count: 3 });
});

Deno.test("compareSpeed() tells how fast the first is by turns", async () => {
  const sides = [sideOf({ milliseconds: 20 }), sideOf({ milliseconds: 10 })] as const;
  const sampler = { name: "ddim", steps: 2, spacing: "uniform", eta: 0 } as const;
  const table = await compareSpeed(sides, { turns: 2, count: 4, sampler });
  assertStringIncludes(
    table,
    "| a training step | 20.0 | 10.0; the page is 0.50 as fast (0.50 to 0.50) |",
  );
});
