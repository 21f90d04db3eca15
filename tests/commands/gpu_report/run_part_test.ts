import { reportPage } from "../../../commands/gpu_report/page.ts";
import { reportParts } from "../../../commands/gpu_report/parts.ts";
import { type Part, runPart } from "../../../commands/gpu_report/run_part.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { ROOT } from "../../support/runs.ts";

function part(code: string, seconds = 60): Part {
  return {
    ...{ name: "it", title: "It", args: ["eval", code], seconds },
    read: ({ stdout }) => {
      const data = JSON.parse(stdout);
      return { text: `${data.value} images`, data };
    },
  };
}

Deno.test("runPart() tells what it found, why it failed, and when it was cut", async () => {
  const [ok, failed, cut] = await Promise.all([
    runPart(part(`console.log('{"value":7}')`), ROOT, 60),
    runPart(part(`console.error("no driver"); Deno.exit(3)`), ROOT, 60),
    runPart(part(`console.log("half"); setInterval(() => {}, 1e9)`), ROOT, 1),
  ]);
  assertEquals([ok.status, ok.text, ok.data], ["ok", "7 images", { value: 7 }]);
  assertEquals([failed.status, failed.data], ["failed", null]);
  assertStringIncludes(failed.text, "no driver");
  assertEquals([cut.status, cut.data], ["cut", null]);
  assert(cut.seconds < 30);
  const facts = { adapter: "a card", date: "2026-01-02T03:04:05Z", runtime: "Deno" };
  const page = reportPage(facts, [ok, failed]);
  for (const text of ["# a card", "| It | ok |", "| It | failed |", "7 images", "no driver"]) {
    assertStringIncludes(page, text);
  }
});

Deno.test("reportParts() checks each family and provider, and trains in each precision", () => {
  const names = reportParts({
    ...{ quick: false, work: "work", pytorch: true },
    ...{ providers: ["deno", "dawn"], precisions: ["f32", "f16"] },
  }).map(({ name }) => name);
  for (
    const name of ["doctor", "verify-tiled-deno", "verify-plain-dawn", "train-f16", "bench", "tune"]
  ) assert(names.includes(name), name);
  assertEquals(new Set(names).size, names.length);
});
