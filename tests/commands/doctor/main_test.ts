import { join } from "node:path";
import type { Finding } from "../../../commands/doctor/finding.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, ROOT, runScript } from "../../support/runs.ts";

interface Answer {
  readonly works: boolean;
  readonly findings: readonly Finding[];
}

/** Runs the doctor to its end with other variables, DENO_DIR and PATH as they are. */
async function doctor(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "commands/doctor/main.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

async function answer(env: Record<string, string>) {
  const { code, out } = await doctor(["--json"], env);
  return { code, ...JSON.parse(out) as Answer };
}

function named(findings: readonly Finding[], name: string): Finding {
  const found = findings.find((finding) => finding.name === name);
  assert(found !== undefined, `no finding is named ${name}`);
  return found;
}

Deno.test("doctor says that training works, and how fast, and ends with 0", async () => {
  const { code, out, err } = await doctor([]);
  assertEquals(code, 0, out + err);
  for (const part of ["Runtime", "GPU", "Training", "Configs", "Disk and data"]) {
    assert(out.split("\n").includes(part), `${part} is missing in ${out}`);
  }
  assertStringIncludes(out, "the loss falls from");
  assert(/the quickstart +\d+ ms a step of 16 images/.test(out), out);
  assert(/Training works here[^\n]*\n$/.test(out), out);
});

Deno.test("doctor names a variable that hides the driver, and ends with 1", async () => {
  if (Deno.build.os !== "linux") return;
  const { code, works, findings } = await answer({ VK_DRIVER_FILES: "/nowhere/icd.json" });
  assertEquals([code, works], [1, false]);
  const { status, text, remedy } = named(findings, "VK_DRIVER_FILES");
  assertEquals(status, "fail");
  assertStringIncludes(text, "/nowhere/icd.json");
  assertStringIncludes(remedy ?? "", "unset VK_DRIVER_FILES");
  assertEquals(named(findings, "opening the adapter").remedy, "see Vulkan above");
});

Deno.test("doctor names a DENO_WEBGPU_BACKEND that Deno does not know, and ends with 1", async () => {
  if (Deno.build.os !== "linux") return;
  const { code, out, err } = await doctor([], { DENO_WEBGPU_BACKEND: "nonsense" });
  assertEquals([code, err], [1, ""]);
  assertStringIncludes(out, 'DENO_WEBGPU_BACKEND  is "nonsense"');
  assertStringIncludes(out.trimEnd().split("\n").at(-1)!, "unset DENO_WEBGPU_BACKEND");
});

Deno.test("doctor refuses a --config that is none in the line that train has for it, with 2 and no report", () =>
  inFolder(async (folder) => {
    const misspelt = join(folder, "misspelt.json");
    await Deno.writeTextFile(misspelt, '{"train":{"step":3}}');
    for (
      const [path, part] of [
        [join(folder, "none.json"), "there is no such file"],
        [folder, `Cannot read config ${folder}`],
        [misspelt, "did you mean train.steps?"],
      ] as const
    ) {
      const expected = await runScript("train.ts", ["--config", path, "--dry-run"]);
      assertStringIncludes(expected.err, part);
      for (const more of [[], ["--json"]]) {
        const result = await runScript("commands/doctor/main.ts", ["--config", path, ...more]);
        assertEquals([result.code, result.out], [2, ""]);
        assertEquals(errorLines(result), errorLines(expected));
      }
    }
  }));
