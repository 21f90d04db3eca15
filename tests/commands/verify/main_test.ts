import { verifyFolder } from "../../../commands/verify/main.ts";
import type { CaseResult } from "../../../commands/verify/golden.ts";
import { Comparison } from "../../../commands/verify/golden.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";

const GOLDEN = new URL("../../golden", import.meta.url).pathname;
const VERIFY = new URL("../../../commands/verify/main.ts", import.meta.url).pathname;

async function run(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", VERIFY, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A copy of the recorded numbers with one element of one tensor changed. */
async function damagedCopy(family: string, tensor: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const file of [`${family}.safetensors`, `${family}.manifest.json`]) {
    await Deno.copyFile(`${GOLDEN}/${file}`, `${folder}/${file}`);
  }
  const path = `${folder}/${family}.safetensors`;
  const bytes = await Deno.readFile(path);
  const view = new DataView(bytes.buffer);
  const headerLength = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)));
  const at = 8 + headerLength + header[tensor].data_offsets[0];
  view.setFloat32(at, view.getFloat32(at, true) + 0.01, true);
  await Deno.writeFile(path, bytes);
  return folder;
}

Deno.test("verify finds every shipped case within its budget", async () => {
  const gpu = await testGpu();
  const results: CaseResult[] = [];
  for await (const result of verifyFolder(gpu, GOLDEN)) results.push(result);
  const failed = results.filter((result) => "ok" in result && !result.ok);
  assertEquals(failed, []);
  const unsupported = new Set(
    results.filter((result) => "unsupported" in result).map(({ op }) => op),
  );
  for (const op of unsupported) {
    assert(/^(resize_bilinear|batchnorm_eval)/.test(op), `${op} must be supported`);
  }
  const families = new Set(results.map(({ family }) => family));
  assertEquals([...families], ["ops", "unet-small", "diffusion", "fid", "ckpt"]);
  assert(results.length >= 70);
});

Deno.test("verify fails a case whose recorded number is off, and exits with 1", async () => {
  const folder = await damagedCopy("ops", "029.silu/out");
  const { code, stdout } = await run(folder, "--json");
  assertEquals(code, 1);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const failed = lines.filter((line) => line.ok === false);
  assertEquals(failed.map(({ case: name, tensor }) => [name, tensor]), [["029.silu", "out"]]);
  assert(failed[0].worst > 0.009 && failed[0].budget < 1e-4);
  assertEquals(lines.at(-1).summary.failed, 1);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("verify refuses unusable folders with exit code 2 and one line", async () => {
  const empty = await Deno.makeTempDir();
  const damaged = await Deno.makeTempDir();
  await Deno.writeTextFile(`${damaged}/ops.safetensors`, "not numbers");
  await Deno.writeTextFile(`${damaged}/ops.manifest.json`, "{}");
  for (const folder of [empty, "no/such/folder", damaged]) {
    const { code, stdout, stderr } = await run(folder);
    assertEquals(code, 2, `${folder}: ${stderr}`);
    assertEquals(stderr.trim().split("\n").length, 1);
    assertStringIncludes(stderr, "error: Cannot");
    assert(!stdout.includes("ok"));
  }
  await Deno.remove(empty);
  await Deno.remove(damaged, { recursive: true });
});

Deno.test("verifyFolder() names a folder without recorded numbers", async () => {
  const folder = await Deno.makeTempDir();
  await assertRejects(
    () => verifyFolder({} as never, folder).next(),
    Error,
    "must hold recorded numbers",
  );
  await Deno.remove(folder);
});

Deno.test("verifyFolder() refuses a file, and what is not there, in the house's words", async () => {
  const file = await Deno.makeTempFile();
  const cases = [
    [file, "it must be a folder, it is a file"],
    [`${file}.none`, "there is no such folder"],
  ] as const;
  for (const [place, why] of cases) {
    const { message } = await assertRejects(() => verifyFolder({} as never, place).next(), Error);
    assertEquals(message, `Cannot verify ${place}: ${why}`);
  }
  await Deno.remove(file);
});

Deno.test("Comparison fails NaN, infinities and short results whatever the budget", () => {
  for (const actual of [[NaN, 1], [Infinity, 1], [1]]) {
    const comparison = new Comparison("case", "ops", "op");
    comparison.check("out", actual, [1, 1], 1e9);
    const result = comparison.result();
    assert("ok" in result && !result.ok, JSON.stringify(actual));
  }
});
