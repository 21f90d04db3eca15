import { parseConfig } from "../../config/load.ts";
import { type EmergenceLine, summarizeEmergence } from "../../run_log/emergence.ts";
import { theoryOf, whyNoTheory, wienerLosses } from "../../run_log/theory.ts";
import { assert, assertAllClose, assertEquals, assertStringIncludes } from "../support/assert.ts";

const STEPS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Lines of a run in which a mode of variance v is at v (1 - exp(-v step / 40))^2 and a little noise. */
function lines(variances: readonly number[]): EmergenceLine[] {
  const power = (v: number, step: number) => v * (1e-2 + 1 - Math.exp(-v * step / 40)) ** 2;
  return STEPS.map((step) => ({
    ...{ step, event: "emergence", count: 64, memorisation: null },
    data: variances,
    power: variances.map((v) => power(v, step)),
    error: variances.map((v) => 0.1 * power(v, step)),
    variances,
    modes: variances.map((v) => power(v, step)),
  }));
}

Deno.test("summarizeEmergence() fits modes where they are, else rings, and leaves rounding out", () => {
  const summary = summarizeEmergence(lines([4, 2, 1, 0.5, 1e-9]))!;
  assert(Math.abs(summary.exponents.rising!.slope + 1) < 0.05, JSON.stringify(summary.exponents));
  assertEquals(summary.exponents.rising!.count, 4);
  assertEquals(summary.exponents.falling, null);
  assertEquals(summary.modes.map(({ emergence }) => emergence !== null), [
    ...[true, true, true, true, false],
  ]);
  const { step, low, high } = summary.rings[1]!.emergence!;
  assert(low! < step && step < high!);
  const rings = lines([4, 2, 1, 0.5]).map((line) => ({ ...line, variances: [], modes: [] }));
  assertEquals(summarizeEmergence(rings)!.exponents.rising!.count, 4);
  assertEquals(summarizeEmergence(lines([4, 2]).slice(0, 3)), null);
});

const LINEAR = {
  data: { name: "synthetic", size: 8, synthetic: { kind: "field", channels: 1, count: 64 } },
  model: { name: "linear", bins: 4 },
  diffusion: { timesteps: 8, target: "x0", clipX0: false, sampler: { name: "ddim", steps: 8 } },
  optim: { name: "sgd", lr: 4, warmupSteps: 0, gradClip: 0 },
  train: { batchSize: 8 },
};

const configOf = (changes: Record<string, unknown>) =>
  parseConfig(JSON.stringify({ ...LINEAR, ...changes }), { path: "test" });

Deno.test("theoryOf() falls from 1 / SNR of the bands to Wiener's loss", () => {
  const theory = theoryOf(configOf({}))!;
  const curves = theory.bandLoss([0, 10, 100, 1e6]);
  assertEquals(curves.length, 4);
  for (const curve of curves.slice(1)) {
    const losses = curve.map(({ loss }) => loss);
    assertEquals(losses, losses.toSorted((a, b) => b - a));
    assert(losses[3]! < 1, `${losses}`);
  }
  // One matrix serves two levels, so that it stays a little above what is possible.
  wienerLosses(configOf({}))!.forEach((least, band) => {
    const loss = curves[band]![3]!.loss;
    assert(least <= loss * (1 + 1e-9) && (band === 0 || least > 0.5 * loss), `${least} ${loss}`);
  });
  const own = configOf({ model: { name: "linear", bins: 8 } });
  assertAllClose(
    theoryOf(own)!.bandLoss([1e7]).slice(1).map(([point]) => point!.loss),
    wienerLosses(own)!.slice(1),
    { rtol: 1e-6, atol: 0 },
  );
  // Without a step everything predicted is zero; sampled images are, too.
  assertAllClose(theory.ringPowers(0), [0, 0, 0, 0], { atol: 1e-12 });
  const late = theory.ringPowers(1e7);
  assert(late[0]! > late[1]! && late[1]! > late[2]! && late[2]! > late[3]!, `${late}`);
});

Deno.test("whyNoTheory() names what is not covered", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ model: { name: "mlp" } }, "a linear network"],
    [{ data: { ...LINEAR.data, synthetic: { kind: "shapes" } } }, "Gaussian fields"],
    [{ optim: { ...LINEAR.optim, name: "adam" } }, "sgd"],
    [{ diffusion: { ...LINEAR.diffusion, loss: "l1" } }, "plain loss"],
  ];
  for (const [changes, part] of cases) {
    assertStringIncludes(whyNoTheory(configOf(changes)) ?? "", part);
    assertEquals(theoryOf(configOf(changes)), null);
  }
});
