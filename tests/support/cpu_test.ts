import { vectorsOf } from "../../support/cpu.ts";
import { assertEquals } from "./assert.ts";

Deno.test("vectorsOf() names the widest vectors that /proc/cpuinfo lists", () => {
  const of = (flags: string) => vectorsOf(`processor\t: 0\nflags\t\t: fpu ${flags}\n`);
  assertEquals(
    ["sse sse2", "sse2 avx", "sse2 avx avx2 fma", "sse2 avx avx2 avx512f avx512vl"].map(of),
    ["sse", "avx", "avx2", "avx512"],
  );
  // Another architecture's list.
  assertEquals(vectorsOf("Features : fp asimd\n"), undefined);
});
