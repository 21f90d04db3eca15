import { profileText } from "../../../commands/shared/step_profile.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { cells } from "../../support/tables.ts";

const KERNELS = [
  { name: "conv", dispatches: 3, ms: 6 },
  { name: "norm", dispatches: 2, ms: 3 },
  { name: "add", dispatches: 1, ms: 1 },
];

Deno.test("profileText() gives each kernel's share, and the rest in one row", () => {
  const whole = profileText({ kernels: KERNELS, wallMs: 8.25 });
  assertEquals(cells(whole).slice(1), [
    ["conv", "3", "6", "60"],
    ["norm", "2", "3", "30"],
    ["add", "1", "1", "10"],
  ]);
  const sums = "6 dispatches, 10.0 ms of kernels; an ordinary step takes 8.3 ms";
  assertEquals(whole.split("\n").at(-1), sums);
  assertStringIncludes(
    profileText({ kernels: KERNELS, wallMs: 8.25, idle: 0.0213 }),
    `${sums}, and the GPU is idle for 2.1 % of it`,
  );
  assertEquals(cells(profileText({ kernels: KERNELS, wallMs: 8 }, 1)).slice(1), [
    ["conv", "3", "6", "60"],
    ["2 others", "3", "4", "40"],
  ]);
});
