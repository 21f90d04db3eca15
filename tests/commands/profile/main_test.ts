import { profileText, standInImages } from "../../../commands/profile/main.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { errorLines, runScript, smokeConfig } from "../../support/runs.ts";

const KERNELS = [
  { name: "conv", dispatches: 3, ms: 6 },
  { name: "norm", dispatches: 2, ms: 3 },
  { name: "add", dispatches: 1, ms: 1 },
];

/** The cells of a table's rows. */
function cells(text: string): string[][] {
  return text.split("\n").filter((line) => line.startsWith("│"))
    .map((line) => line.split("│").slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("profileText() gives each kernel's share, and the rest in one row", () => {
  const whole = profileText({ kernels: KERNELS, wallMs: 8.25 });
  assertEquals(cells(whole).slice(1), [
    ["conv", "3", "6", "60"],
    ["norm", "2", "3", "30"],
    ["add", "1", "1", "10"],
  ]);
  assertStringIncludes(whole, "6 dispatches, 10.0 ms of kernels; an ordinary step takes 8.3 ms");
  assertEquals(cells(profileText({ kernels: KERNELS, wallMs: 8 }, 1)).slice(1), [
    ["conv", "3", "6", "60"],
    ["2 others", "3", "4", "40"],
  ]);
});

Deno.test("standInImages() have the config's shape, twice as high for dominoes", async () => {
  const plain = standInImages(await smokeConfig());
  assertEquals([plain.height, plain.width, plain.channels, plain.count], [8, 8, 1, 8]);
  const stacked = standInImages(
    await smokeConfig("data.name=mix", "data.mix.kind=dominoes", "data.mix.first=mnist"),
  );
  assertEquals([stacked.height, stacked.width], [16, 8]);
  assertEquals(stacked.images.length, stacked.count * 16 * 8 * stacked.channels);
  assert(new Set(stacked.images.subarray(-64)).size > 4, "the last image is not empty");
});

Deno.test("profile prints both steps kernel by kernel, without data and without a trace", async () => {
  const result = await runScript("commands/profile/main.ts", [
    "--config",
    "config/smoke.json",
    "--top",
    "3",
  ]);
  assertEquals([result.code, errorLines(result)], [0, []]);
  const rows = cells(result.out);
  // Two tables of a head, three kernels and the others.
  assertEquals(rows.length, 10);
  for (const table of [rows.slice(1, 5), rows.slice(6, 10)]) {
    const shares = table.map((row) => Number(row[3]));
    assert(Math.abs(shares.reduce((a, b) => a + b) - 100) < 1, `${shares}`);
    assert(shares[0]! >= shares[1]! && shares[1]! >= shares[2]!);
  }
});

Deno.test("profile --json gives numbers, of the step that is asked for", async () => {
  const args = ["--config", "config/smoke.json", "--step", "sampling", "--batch", "2", "--json"];
  const { code, out } = await runScript("commands/profile/main.ts", args);
  const { training, sampling, batch } = JSON.parse(out);
  assertEquals([code, training, batch], [0, null, 2]);
  assert(sampling.kernels.length > 5 && sampling.wallMs > 0);
  assert(sampling.kernels.every(({ ms }: { ms: number }) => ms > 0));
});
