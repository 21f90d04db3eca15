import { verifyFolder } from "../../../commands/verify/folder.ts";
import type { CaseResult } from "../../../commands/verify/golden.ts";
import { Comparison } from "../../../commands/verify/golden.ts";
import { readNpz, writeNpz } from "../../../formats/npy.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
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

/** Copies a family of the shipped numbers, its manifest changed. */
async function copyFamily(
  family: string,
  folder: string,
  // deno-lint-ignore no-explicit-any -- manifests are as the recording made them
  change: (manifest: any) => void,
): Promise<void> {
  await Deno.copyFile(`${GOLDEN}/${family}.safetensors`, `${folder}/${family}.safetensors`);
  const manifest = JSON.parse(await Deno.readTextFile(`${GOLDEN}/${family}.manifest.json`));
  change(manifest);
  await Deno.writeTextFile(`${folder}/${family}.manifest.json`, JSON.stringify(manifest));
}

async function writeFid(folder: string, manifest: unknown): Promise<void> {
  await Deno.mkdir(`${folder}/fid`);
  await Deno.writeTextFile(`${folder}/fid/fid.json`, JSON.stringify(manifest));
}

/** What became of each case of a folder, reasons without the folder's name. */
async function outcomes(folder: string): Promise<[name: string, outcome: string][]> {
  const found: [string, string][] = [];
  for await (const result of verifyFolder(await testGpu(), folder)) {
    const verdict = "unsupported" in result ? "unsupported" : result.ok ? "ok" : "FAIL";
    const [reason] = result.reason?.split(` ${folder}`) ?? [];
    const outcome = reason === undefined ? verdict : `${verdict}: ${reason}`;
    found.push([`${result.family}/${result.case}`, outcome]);
  }
  return found;
}

Deno.test("verify finds every shipped case within its budget", async () => {
  const gpu = await testGpu();
  const results: CaseResult[] = [];
  for await (const result of verifyFolder(gpu, GOLDEN)) results.push(result);
  const failed = results.filter((result) => "ok" in result && !result.ok);
  assertEquals(failed, []);
  assertEquals(results.filter((result) => "unsupported" in result), []);
  const families = new Set(results.map(({ family }) => family));
  assertEquals([...families], [
    ...["ops", "unet-small", "unet-attention", "diffusion", "fid", "ckpt"],
    ...["samplers", "dinov2", "dit", "edm", "edm2", "full", "lucidrains", "lucid-1d"],
  ]);
  assert(results.length >= 110);
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

Deno.test("verify counts what it does not know as unsupported, by family, and exits with 0", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/score-sde-blocks.safetensors`, new Uint8Array(3));
    await writeFid(folder, { prdc: [{ name: "a" }], fid: [] });
    const { code, stdout } = await run(folder, "--json");
    const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(lines, [
      {
        ...{ case: "prdc", family: "fid", op: "prdc" },
        ...{ unsupported: true, reason: "prdc is not known" },
      },
      {
        ...{ case: "all", family: "score-sde-blocks", op: "family" },
        ...{ unsupported: true, reason: "the family is not known" },
      },
      {
        summary: { passed: 0, failed: 0, unsupported: 2 },
        families: {
          "fid": { passed: 0, failed: 0, unsupported: 1 },
          "score-sde-blocks": { passed: 0, failed: 0, unsupported: 1 },
        },
      },
    ]);
    assertEquals(code, 0);
  });
});

Deno.test("verifyFolder() goes on past a case that breaks and one that it does not know", async () => {
  await inFolder(async (folder) => {
    await copyFamily("ops", folder, (manifest) => {
      const [silu] = manifest.cases.filter(({ op }: { op: string }) => op === "silu");
      manifest.cases = [{ ...silu, case: "gone" }, { ...silu, op: "swish9" }, silu];
    });
    await Deno.writeTextFile(`${folder}/unet-small.safetensors`, "not numbers");
    await writeFid(folder, { fid: [{ name: "lost", files: ["lost.npz"] }] });
    await Deno.mkdir(`${folder}/ckpt`);
    for (const name of ["odd.pt", "malicious_a.pt"]) {
      await Deno.writeFile(`${folder}/ckpt/${name}`, new Uint8Array(0));
    }
    const sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const files = {
      "gone.pt": { sha256 },
      "odd.pt": { sha256 },
      "malicious_a.pt": { sha256: sha256.replace("e3", "e4") },
    };
    await Deno.writeTextFile(`${folder}/ckpt/ckpt.json`, JSON.stringify({ files }));
    assertEquals(await outcomes(folder), [
      ["ops/gone", "FAIL: Cannot verify: tensor gone/in.x must be in the file"],
      ["ops/029.silu", "unsupported: swish9 is not known"],
      ["ops/029.silu", "ok"],
      ["unet-small/all", "FAIL: Cannot verify unet-small of"],
      ["fid/lost", "FAIL: Cannot verify fid/lost.npz: Cannot read"],
      ["ckpt/gone.pt", "FAIL: Cannot read"],
      ["ckpt/odd.pt", "unsupported: nothing is known of what this file must hold"],
      ["ckpt/malicious_a.pt", "FAIL: Cannot verify ckpt of"],
    ]);
  });
});

Deno.test("verifyFolder() takes schedules from the manifest, and names what it does not know", async () => {
  await inFolder(async (folder) => {
    await copyFamily("diffusion", folder, (manifest) => {
      const { linear20_steep: steep, linear20_repo: _, ...options } = manifest.schedule_options;
      manifest.schedule_options = { ...options, linear20_steep: { ...steep, betaEnd: 0.3 } };
      options.cosine1000.schedule = "triangular";
      options.linear1000_f64.clip = 0.5;
      manifest.ancestral_runs = manifest.ancestral_runs.slice(0, 1);
      manifest.ddim_runs = [{ ...manifest.ddim_runs[0], key: "ddim/septic/eta0.5/clip" }];
      manifest.q_sample = "of a schedule that is not named";
    });
    await copyFamily("unet-small", folder, (manifest) => delete manifest.training);
    const found = new Map(await outcomes(folder));
    const of = (name: string) => found.get(`diffusion/${name}`);
    assertEquals(of("schedule.linear1000_repo"), "ok");
    assertEquals(of("schedule.linear20_steep"), "FAIL");
    const unknown = "unsupported: the manifest has no schedule_options of linear20_repo";
    assertEquals(of("schedule.linear20_repo"), unknown);
    assertEquals(of("ancestral.linear20_repo.fixedlarge.repo"), unknown);
    assertEquals(of("schedule.cosine1000"), "unsupported: schedule triangular is not known");
    assertEquals(
      of("schedule.linear1000_f64"),
      "unsupported: option clip of schedule linear1000_f64 is not known",
    );
    assertEquals(of("ddim.septic.eta0.5.clip"), "unsupported: spacing septic is not known");
    assertEquals(of("q_sample"), "unsupported: the manifest names no known schedule for q_sample");
    assertEquals(of("pmv.epsilon"), "ok");
    assertEquals(found.get("unet-small/gradients"), "ok");
  });
});

Deno.test("verifyFolder() judges distances of which features alone are recorded", async () => {
  const { fid } = JSON.parse(await Deno.readTextFile(`${GOLDEN}/fid/fid.json`));
  const [{ name, frechet_eigh, files }] = fid;
  const arrays = readNpz(await Deno.readFile(`${GOLDEN}/fid/${files[0]}`));
  const [x, y] = [arrays.get("x")!, arrays.get("y")!];
  await inFolder(async (folder) => {
    const split = ["x.npz", "y.npz"];
    await writeFid(folder, {
      fid: [
        { name, files: split, frechet_eigh },
        { name: "off", files: split, frechet_eigh: frechet_eigh * 1.001 },
        { name: "nothing", files: split },
      ],
    });
    await Deno.writeFile(`${folder}/fid/x.npz`, writeNpz([["x", x]]));
    await Deno.writeFile(`${folder}/fid/y.npz`, writeNpz([["y", y]]));
    assertEquals(await outcomes(folder), [
      [`fid/${name}`, "ok"],
      ["fid/off", "FAIL"],
      ["fid/nothing", "FAIL: nothing is recorded that could be compared"],
    ]);
  });
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
