import { edmDraw } from "../../../diffusion/preconditionings/edm.ts";
import { veDraw, vePreconditioning } from "../../../diffusion/preconditionings/ve.ts";
import { vpDraw, vpPreconditioning } from "../../../diffusion/preconditionings/vp.ts";
import { assertAllClose } from "../../support/assert.ts";

Deno.test("vpPreconditioning() tells the network the time of the SDE whose noise it is", () => {
  const options = { betaRange: 7, betaMin: 0.3, timeMin: 1e-3, timesteps: 11 };
  const preconditioning = vpPreconditioning(options);
  const { sigma } = vpDraw(options);
  for (const t of [0.001, 0.2, 0.9, 1]) {
    const here = sigma((t - 1) / (options.timeMin - 1));
    assertAllClose([preconditioning.at(here).condition], [10 * t], { rtol: 1e-9, atol: 0 });
    // The integral of beta from 0 to t.
    const integral = 0.5 * 7 * t ** 2 + 0.3 * t;
    assertAllClose([here], [Math.sqrt(Math.exp(integral) - 1)], { rtol: 1e-9, atol: 0 });
  }
  assertAllClose([preconditioning.sigmaMin, preconditioning.sigmaMax], [sigma(1), sigma(0)], {
    rtol: 1e-12,
    atol: 0,
  });
});

Deno.test("veDraw() runs evenly through the logarithms of its range", () => {
  const { sigma } = veDraw({ sigmaMin: 0.1, sigmaMax: 40 });
  assertAllClose([sigma(0), sigma(0.5), sigma(1)], [0.1, 2, 40], { rtol: 1e-12, atol: 0 });
  assertAllClose([vePreconditioning().at(2).condition], [0], { rtol: 0, atol: 1e-15 });
});

Deno.test("edmDraw() is log-normal and counts the network's own error", () => {
  const { sigma, weight } = edmDraw({ mean: -0.4, deviation: 1, sigmaData: 0.7 });
  assertAllClose([Math.log(sigma(0.3))], [-0.1], { rtol: 1e-12, atol: 0 });
  const s = sigma(1.1);
  const output = s * 0.7 / Math.sqrt(s ** 2 + 0.49);
  assertAllClose([weight(s)], [1 / output ** 2], { rtol: 1e-12, atol: 0 });
});
