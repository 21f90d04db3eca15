/**
 * Times what processes of mpiexec do between two steps: `mpiexec -n 2 deno run -A dev/all_reduce/main.ts
 * [VALUES ...]` adds as many f32 values over all of them, from each GPU and back to it, and prints the
 * median and the best of the times.
 *
 * @module
 */
import { openScriptGpu } from "../../commands/shared/gpu.ts";
import { joinProcesses, sayFirst } from "../../commands/shared/processes.ts";
import { barrier } from "../../training/collective.ts";

/** Gradients of the quickstart's network and of that for CIFAR-10. */
const SIZES = [267_313, 35_746_307];
const ROUNDS = 9;
/** Values of a binding at most. */
const CHUNK = 1 << 25;

if (import.meta.main) {
  const processes = joinProcesses();
  const gpu = await openScriptGpu();
  const collective = processes.collective(gpu);
  const sizes = Deno.args.length > 0 ? Deno.args.map(Number) : SIZES;
  for (const size of sizes) {
    const chunks = Array.from(
      { length: Math.ceil(size / CHUNK) },
      (_, i) => gpu.tensor([Math.min(CHUNK, size - i * CHUNK)], { label: "gradients" }),
    );
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await barrier(collective);
      const start = performance.now();
      await collective.allReduce([chunks]);
      await gpu.finish();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const [best = 0, median = 0] = [times[0], times[ROUNDS >> 1]];
    sayFirst(`${size} values: median ${median.toFixed(2)} ms, best ${best.toFixed(2)} ms`);
    for (const chunk of chunks) gpu.destroyTensor(chunk);
  }
  processes.close();
}
