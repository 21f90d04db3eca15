import {
  coefficientsOf,
  correlation,
  exponentOf,
  powerDecayOf,
  response,
  widthOf,
} from "../../optim/power_ema.ts";
import { assertAllClose, assertThrows } from "../support/assert.ts";

Deno.test("exponentOf() and widthOf() undo each other, and refuse what no profile is", () => {
  // Karras et al. 2024 name widths 0.05 and 0.10 by exponents of about 16.97 and 6.94.
  assertAllClose([0.05, 0.1].map(exponentOf), [16.97, 6.94], { rtol: 1e-3, atol: 0 });
  const widths = [0.01, 0.05, 0.1, 0.2, 0.25, 0.28];
  assertAllClose(widths.map((width) => widthOf(exponentOf(width))), widths);
  for (const width of [0, -0.1, 0.5, NaN]) assertThrows(() => exponentOf(width), RangeError);
});

/** Shares of the weights after steps 0 to `steps` in an average of a width, by its decays. */
function followed(width: number, steps: number): number[] {
  const shares = [1, ...new Array<number>(steps).fill(0)];
  for (let k = 1; k <= steps; k++) {
    const decay = powerDecayOf(width, k, 1);
    for (let i = 0; i < k; i++) shares[i]! *= decay;
    shares[k] = 1 - decay;
  }
  return shares;
}

Deno.test("powerDecayOf() gives an average the profile of its width", () => {
  const steps = 2000, width = 0.12;
  const shares = followed(width, steps);
  const mean = shares.reduce((sum, share, k) => sum + share * k, 0);
  const variance = shares.reduce((sum, share, k) => sum + share * (k - mean) ** 2, 0);
  assertAllClose([Math.sqrt(variance) / steps], [width], { rtol: 5e-3, atol: 0 });
  const profile = response({ time: steps, width }, steps + 1);
  assertAllClose([profile[steps]!, profile[1500]!], [shares[steps]!, shares[1500]!], {
    rtol: 2e-2,
    atol: 0,
  });
});

Deno.test("coefficientsOf() makes a stored average of itself, and others near to the direct one", () => {
  const steps = 400;
  const stored = [100, 200, 300, 400].flatMap((time) =>
    [0.05, 0.1].map((width) => ({ time, width }))
  );
  const own = coefficientsOf(stored, stored[5]!);
  assertAllClose(own, stored.map((_, i) => i === 5 ? 1 : 0), { rtol: 0, atol: 1e-9 });
  const shares = coefficientsOf(stored, { time: 400, width: 0.07 });
  const kept = stored.map(({ time, width }) => [...followed(width, time), ...Array(steps).fill(0)]);
  const direct = followed(0.07, steps);
  const made = direct.map((_, k) =>
    shares.reduce((sum, share, i) => sum + share * kept[i]![k]!, 0)
  );
  const apart = made.reduce((sum, value, k) => sum + Math.abs(value - direct[k]!), 0);
  // The nearest stored average alone is 0.3 away.
  assertAllClose([apart], [0], { rtol: 0, atol: 0.05 });
  assertThrows(() => coefficientsOf([stored[0]!, stored[0]!], stored[1]!), RangeError, "alike");
});

Deno.test("correlation() is the integral of the product of two profiles", () => {
  const a = { time: 3, width: 0.1 }, b = { time: 2, width: 0.2 };
  const [ga, gb] = [exponentOf(a.width), exponentOf(b.width)];
  let integral = 0;
  const n = 20000;
  for (let i = 0; i < n; i++) {
    const t = 2 * (i + 0.5) / n;
    integral += (ga + 1) / 3 * (t / 3) ** ga * (gb + 1) / 2 * (t / 2) ** gb * 2 / n;
  }
  assertAllClose([correlation(a, b), correlation(b, a)], [integral, integral], {
    rtol: 1e-6,
    atol: 0,
  });
});
