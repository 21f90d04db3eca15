import {
  type Finding,
  formatArea,
  formatVerdict,
  trainingWorks,
} from "../../../commands/doctor/finding.ts";
import { assertEquals } from "../../support/assert.ts";

const trained: Finding = { area: "training", name: "a net", status: "ok", text: "learns" };
const limited: Finding = {
  ...{ area: "gpu", name: "adapter", status: "warn", text: "is slow", remedy: "buy one" },
};
const broken: Finding = { ...limited, status: "fail" };

Deno.test("trainingWorks() wants training tried and nothing failed", () => {
  assertEquals(trainingWorks([trained, limited]), true);
  assertEquals(trainingWorks([limited]), false);
  assertEquals(trainingWorks([trained, broken]), false);
});

Deno.test("formatArea() aligns names and puts the remedy below", () => {
  const other: Finding = { area: "gpu", name: "f16", status: "ok", text: "yes" };
  assertEquals(formatArea("gpu", [trained, limited, other]), [
    "GPU",
    "  warn  adapter  is slow",
    "                 fix: buy one",
    "  ok    f16      yes",
  ]);
  assertEquals(formatArea("vulkan", [trained]), []);
});

Deno.test("formatVerdict() names the first thing to do", () => {
  assertEquals(formatVerdict([trained]), "Training works here");
  assertEquals(formatVerdict([trained, limited]), "Training works here; 1 thing to know above");
  assertEquals(
    formatVerdict([trained, broken]),
    "Training does not work here: adapter; first: buy one",
  );
  assertEquals(formatVerdict([]), "Training was not tried");
});
