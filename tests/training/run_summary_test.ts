import { describeMemory, formatBytes, formatCount } from "../../training/run_summary.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("formatBytes() takes the largest unit that leaves at least 1", () => {
  const cases: [number, string][] = [
    [0, "0 bytes"],
    [1023, "1023 bytes"],
    [1024, "1.00 KiB"],
    [36.5 * 2 ** 20, "36.5 MiB"],
    [682 * 2 ** 20, "682 MiB"],
    [3 * 2 ** 40, "3.00 TiB"],
  ];
  for (const [bytes, text] of cases) assertEquals(formatBytes(bytes), text);
});

Deno.test("formatCount() groups digits by thousands", () => {
  assertEquals(formatCount(35746307), "35,746,307");
});

Deno.test("describeMemory() names the three biggest holders", () => {
  const holders = ["a", "b", "c", "d"].map((label, i) => ({ label, bytes: 4096 - i * 1024 }));
  assertEquals(
    describeMemory({ peakBytes: 10240, textureBytes: 0, unsharedBytes: 20480, holders }),
    "10.0 KiB of activations (20.0 KiB without sharing); biggest at the peak: " +
      "a 4.00 KiB, b 3.00 KiB, c 2.00 KiB",
  );
});
