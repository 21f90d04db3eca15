import { parseConfig } from "../../config/load.ts";
import type { Override } from "../../config/load.ts";
import { EpochsError } from "../../config/durations.ts";
import { UsageError } from "../../support/errors.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";

const DATA = { data: { name: "cifar10" } };

function parse(tree: Record<string, unknown>, images?: number, ...overrides: Override[]) {
  const said: string[] = [];
  const text = JSON.stringify({ ...DATA, ...tree });
  const clock = { images, say: (line: string) => said.push(line) };
  return { ...parseConfig(text, { path: "t.json", overrides, clock }), said };
}

Deno.test("parseConfig() takes epochs, images and steps wherever steps are meant", () => {
  const { train, optim, said } = parse({
    train: { steps: "2.5 epochs", batchSize: 100, logEvery: "1k images", sampleEvery: "30 steps" },
    optim: { warmupSteps: "1 epoch", ema: { updateAfter: "0.0005M images" } },
  }, 1001);
  assertEquals([train.steps, train.logEvery, train.sampleEvery], [26, 10, 30]);
  assertEquals([optim.warmupSteps, optim.ema.updateAfter], [11, 5]);
  assertEquals(said, [
    "optim.warmupSteps of 1 epoch is 11 steps",
    "optim.ema.updateAfter of 0.0005M images is 5 steps",
    "train.steps of 2.5 epochs is 26 steps",
    "train.logEvery of 1k images is 10 steps",
  ]);
});

Deno.test("parseConfig() takes train.epochs for train.steps, and the later of both options", () => {
  assertEquals(parse({ train: { epochs: 3, batchSize: 50 } }, 100).train.steps, 6);
  const file = { train: { epochs: 3, batchSize: 50 } };
  assertEquals(parse(file, undefined, ["train.steps", "7"]).train.steps, 7);
  const steps = { train: { steps: 9, batchSize: 50 } };
  const { train } = parse(steps, 100, ["train.epochs", "2"]);
  assertEquals([train.steps, train.epochs], [4, null]);
  assertEquals(parse({}, 256, ["train.steps", "1 epoch"]).train.steps, 2);
});

Deno.test("parseConfig() refuses epochs without data, and what is no length of time", () => {
  assertThrows(() => parse({ train: { steps: "5 epochs" } }), EpochsError, "train.steps in epochs");
  for (const text of ["5 eons", "epochs", "-1 epochs", "1e3 images", "5 epochs and 2 steps"]) {
    const { message } = assertThrows(() => parse({ train: { steps: text } }, 10), UsageError);
    assertStringIncludes(
      message,
      "train.steps must be a whole number of at least 1, or a length of",
    );
  }
  assertThrows(() => parse({ train: { batchSize: "1 epoch" } }, 10), UsageError, "batchSize");
  const { message } = assertThrows(
    () => parse({ train: { steps: 5, epochs: 1 } }, 10),
    UsageError,
  );
  assertStringIncludes(message, "train.epochs");
});
