import { describeKept } from "../../../commands/shared/classifiers.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("describeKept() tells what a kept classifier is, and in what it differs from what was asked", () => {
  const kept = { steps: 2, accuracy: 0.4126 };
  const cases = [
    [kept, undefined, ", of 2 steps, 41.3 % of the test images right"],
    [kept, 2, ", of 2 steps, 41.3 % of the test images right"],
    [kept, 50, ", of 2 steps, not 50, 41.3 % of the test images right"],
    [{ steps: 1, accuracy: null }, undefined, ", of 1 step"],
    [{ steps: NaN, accuracy: null }, 50, ""],
  ] as const;
  for (const [stored, asked, told] of cases) {
    assertEquals(
      describeKept("a.safetensors", stored, asked),
      `a.safetensors is there already${told}; --again trains anew`,
    );
  }
});
