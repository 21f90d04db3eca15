import {
  iddpmLevels,
  iddpmPreconditioning,
  nearestLevel,
} from "../../../diffusion/preconditionings/iddpm.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";

Deno.test("iddpmLevels() are those of the original in f64", () => {
  const levels = iddpmLevels();
  // From NVlabs/edm's recursion in f64.
  assertAllClose(
    [levels[0]!, levels[25]!, levels[500]!, levels[975]!, levels[1000]!],
    [20291.16961002147, 25.65352517100736, 1.0123895639480052, 0.0499336245831751, 0],
    { rtol: 1e-9, atol: 0 },
  );
});

Deno.test("iddpmPreconditioning() tells the network the timestep of the nearest level", () => {
  const levels = iddpmLevels({ timesteps: 20 });
  const preconditioning = iddpmPreconditioning({ timesteps: 20 });
  for (const [i, level] of levels.entries()) {
    if (level === 0) continue;
    const next = levels[i + 1]!;
    const near = level - 0.4 * (level - next);
    assertEquals(nearestLevel(levels, near), i);
    assertEquals(preconditioning.round(near), level);
    assertEquals(preconditioning.at(near).condition, 19 - i);
  }
  assert(preconditioning.sigmaMin > 0 && preconditioning.sigmaMax === levels[0]);
});
