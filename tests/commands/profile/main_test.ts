import { standInImages } from "../../../commands/profile/main.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { errorLines, runScript, smokeConfig } from "../../support/runs.ts";
import { cells } from "../../support/tables.ts";

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
