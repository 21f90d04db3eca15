import { compareVersions, refusalOfOldDeno } from "../../../commands/doctor/deno_version.ts";
import {
  examineCacheContents,
  examineDeno,
  examineFolder,
  examineMemory,
  pinnedDeno,
} from "../../../commands/doctor/machine.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { ROOT } from "../../support/runs.ts";

Deno.test("compareVersions() compares numbers, not letters", () => {
  assert(compareVersions("2.10.0", "2.9.6") > 0);
  assert(compareVersions("1.46.3", "2.0.0") < 0);
  assertEquals(compareVersions("2.9.6", "2.9.6+abc"), 0);
});

Deno.test("refusalOfOldDeno() speaks on an old Deno alone, as text or as JSON", () => {
  assertEquals(refusalOfOldDeno(Deno.version.deno, false), null);
  const text = refusalOfOldDeno("2.2.0", false) ?? "";
  assertStringIncludes(text, "fail  Deno  2.2.0, but the project needs");
  assertStringIncludes(text, "./denow");
  const { works, findings } = JSON.parse(refusalOfOldDeno("1.40.0", true) ?? "");
  assertEquals([works, findings[0].status, findings.length], [false, "fail", 1]);
});

Deno.test("pinnedDeno() reads the version that denow installs", async () => {
  const pinned = await pinnedDeno(ROOT);
  assert(pinned !== null && /^\d+\.\d+\.\d+$/.test(pinned));
  await inFolder(async (folder) => assertEquals(await pinnedDeno(folder), null));
});

Deno.test("examineDeno() warns of another version than the tested one", () => {
  assertEquals(examineDeno("2.9.6", "2.9.6").status, "ok");
  assertEquals(examineDeno("2.9.6", null).status, "ok");
  const older = examineDeno("2.8.0", "2.9.6"), newer = examineDeno("3.0.0", "2.9.6");
  assertEquals([older.status, newer.status], ["warn", "warn"]);
  assertStringIncludes(older.text, "older than 2.9.6");
  assertStringIncludes(newer.text, "newer than 2.9.6");
});

Deno.test("examineMemory() warns where a run would not fit", () => {
  assertEquals(examineMemory({ total: 8 << 30, available: 2 * 2 ** 30 }).status, "ok");
  assertEquals(examineMemory({ total: 2 ** 33, available: 2 ** 28 }).status, "warn");
});

Deno.test("examineFolder() looks at the nearest folder that exists", async () => {
  await inFolder(async (folder) => {
    const { status, text } = await examineFolder("runs", `${folder}/a/b`, "choose another");
    assert(status === "ok" || status === "warn", status);
    assertStringIncludes(text, `${folder}/a/b (not there yet)`);
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 0);
  });
});

Deno.test("examineFolder() tells a folder that cannot be written to", async () => {
  // /proc takes no files even from root.
  if (Deno.build.os !== "linux") return;
  const { status, text, remedy } = await examineFolder("cache", "/proc/self", "set DIFFRACT_CACHE");
  assertEquals(status, "warn");
  assertStringIncludes(text, "cannot be written to");
  assertStringIncludes(remedy ?? "", "set DIFFRACT_CACHE, or make /proc/self writable");
});

Deno.test("examineCacheContents() adds up what is in the cache", async () => {
  await inFolder(async (folder) => {
    assertEquals(await examineCacheContents(`${folder}/none`), []);
    assertEquals(await examineCacheContents(folder), []);
    await Deno.mkdir(`${folder}/datasets/x`, { recursive: true });
    await Deno.writeFile(`${folder}/datasets/x/a`, new Uint8Array(3000));
    await Deno.writeFile(`${folder}/b`, new Uint8Array(24));
    const [finding] = await examineCacheContents(folder);
    assertEquals(finding?.data, { datasets: 3000, b: 24 });
    assertStringIncludes(finding?.text ?? "", "2.95 KiB: datasets 2.93 KiB, b 24 bytes");
  });
});
