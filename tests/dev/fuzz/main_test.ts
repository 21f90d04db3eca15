import { fuzz, fuzzSeeds } from "../../../dev/fuzz/main.ts";
import { FUZZ_KINDS } from "../../../dev/fuzz/kinds.ts";
import { mutate, Random } from "../../../dev/fuzz/mutate.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";

/** A slice of what `deno task fuzz` runs. */
const COUNT = 200;

for (const kind of FUZZ_KINDS) {
  Deno.test(`fuzz() finds ${COUNT} mutated ${kind} files read or refused, and nothing else`, async () => {
    const report = await fuzz(kind, await fuzzSeeds(kind), { count: COUNT, seed: 2 });
    assertEquals(report.failures, []);
    assertEquals(report.read + report.refused, COUNT);
    assert(report.read > 5, `only ${report.read} read`);
    // All damage to a tar archive is one reason; its library's words are left out.
    const least = kind === "tar" ? 1 : 2;
    assert(report.reasons.size >= least, `only ${report.reasons.size} reasons`);
  });
}

Deno.test("mutate() changes most inputs, and equal numbers give equal bytes", () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, i) => i);
  let changed = 0;
  for (let i = 0; i < 200; i++) {
    const once = mutate(bytes, bytes, new Random(1, i)),
      twice = mutate(bytes, bytes, new Random(1, i));
    assertEquals(once, twice);
    if (once.length !== bytes.length || once.some((byte, k) => byte !== bytes[k])) changed++;
  }
  assert(changed > 150, `only ${changed} changed`);
});

Deno.test("fuzzSeeds() refuses a folder without files to mutate", async () => {
  const folder = await Deno.makeTempDir();
  await assertRejects(() => fuzzSeeds("pt-zip", folder), Error, "must hold a pt-zip file");
  const file = `${folder}/file`;
  await Deno.writeTextFile(file, "");
  for (
    const [place, why] of [
      [file, "it must be a folder, it is a file"],
      [`${folder}/none`, "there is no such folder"],
    ] as const
  ) {
    const { message } = await assertRejects(() => fuzzSeeds("pt-zip", place), Error);
    assertEquals(message, `Cannot mutate files of ${place}: ${why}`);
  }
  await Deno.remove(folder, { recursive: true });
});
