import { join } from "node:path";
import {
  build,
  cpuFlags,
  MissingToolError,
  runSteps,
  TARGETS,
  targetsOf,
} from "../../../dev/cpu_ceiling/build.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";

const clang = await new Deno.Command("clang", { args: ["--version"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);
const possible = clang ? targetsOf(await cpuFlags()) : [];

Deno.test("targetsOf() takes what a CPU has", () => {
  const names = (flags: string) =>
    targetsOf(new Set(flags.split(" "))).map(({ name }) => name.split(",")[0]);
  assertEquals(names("sse2"), []);
  assertEquals(names("sse4_1 avx"), ["SSE 4.1"]);
  assertEquals(names("sse4_1 avx avx2 fma"), ["SSE 4.1", "AVX2"]);
  assertEquals(names("sse4_1 avx2 fma avx512f avx512vl avx512dq avx512bw").length, TARGETS.length);
});

Deno.test("build() says what must be installed", async () => {
  await assertRejects(
    () => build(TARGETS[0]!, false, "/dev/null", "no-such-compiler"),
    MissingToolError,
    "apt-get install clang",
  );
});

for (const target of possible) {
  Deno.test(`runSteps() multiplies rightly with ${target.name}, step by step`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const program = join(folder, "ceiling");
      await build(target, target.width > 4, program);
      // The program holds every product against sums in double, and fails where one is off.
      const rates = await runSteps(program, 1, 1);
      const gathers = target.width > 4 ? ["gathers"] : [];
      assertEquals(
        rates.map(({ step }) => step),
        "registers blocked tile broadcast masked texels bounds called".split(" ").concat(
          gathers,
          "buffers",
        ),
      );
      assert(rates.every(({ gflops, best }) => gflops > 0 && best >= gflops), "rates");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
