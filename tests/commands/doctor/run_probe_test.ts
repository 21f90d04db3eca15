import type { Finding } from "../../../commands/doctor/finding.ts";
import { runProbe } from "../../../commands/doctor/run_probe.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

const FOUND: Finding = { area: "gpu", name: "adapter", status: "ok", text: "there" };

/** What the probe finds when `body` is its script. */
async function probe(body: string, patience = 60_000): Promise<Finding[]> {
  const findings: Finding[] = [];
  await inFolder(async (folder) => {
    const script = `${folder}/probe.ts`;
    const found = JSON.stringify(JSON.stringify({ finding: FOUND }));
    const stage = JSON.stringify(JSON.stringify({ stage: "second" }));
    await Deno.writeTextFile(script, `console.log(${found}); console.log(${stage});\n${body}`);
    const options = { args: [], area: "gpu", remedy: "mend it", patience, script } as const;
    for await (const finding of runProbe(options)) findings.push(finding);
  });
  return findings;
}

Deno.test("runProbe() hands on what is found, and nothing more when all is well", async () => {
  assertEquals(await probe(""), [FOUND]);
});

Deno.test("runProbe() tells the stage and the last words of a probe that throws", async () => {
  const [first, failure, ...rest] = await probe(
    `console.error("a note"); console.error("Cannot open a GPU: none"); Deno.exit(1);`,
  );
  assertEquals([first, rest], [FOUND, []]);
  assertEquals(failure, {
    ...{ area: "gpu", name: "second", status: "fail", remedy: "mend it" },
    text: "Cannot open a GPU: none",
  });
});

Deno.test("runProbe() survives a probe that crashes without a word", async () => {
  const [, failure] = await probe(`Deno.kill(Deno.pid, "SIGKILL");`);
  assertEquals([failure?.status, failure?.text], ["fail", "crashed (SIGKILL)"]);
});

Deno.test("runProbe() ends a probe that hangs", async () => {
  const start = performance.now();
  const [, failure] = await probe(`while (true) {}`, 3000);
  assertEquals([failure?.status, failure?.text], ["fail", "gave no answer for 3 s"]);
  assert(performance.now() - start < 30_000);
});
