import { verifyCkpt } from "../../../commands/verify/ckpt.ts";
import type { CaseResult } from "../../../commands/verify/golden.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const GOLDEN = new URL("../../golden/ckpt/", import.meta.url).pathname;

type Manifest = {
  files: Record<string, { bytes: number; sha256: string }>;
  "dtypes.pt": Record<string, { values?: number[]; python?: unknown }>;
};

/** Replays a folder with one recorded file, or a changed manifest. */
async function replay(
  file: string,
  name: string,
  change: (manifest: Manifest) => void = () => {},
): Promise<CaseResult[]> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/ckpt`);
    await Deno.copyFile(`${GOLDEN}${file}`, `${folder}/ckpt/${name}`);
    const manifest: Manifest = JSON.parse(await Deno.readTextFile(`${GOLDEN}ckpt.json`));
    manifest.files = { [name]: manifest.files[file]! };
    change(manifest);
    await Deno.writeTextFile(`${folder}/ckpt/ckpt.json`, JSON.stringify(manifest));
    const results: CaseResult[] = [];
    // Without a recorded resume nothing runs on the GPU.
    for await (const result of verifyCkpt({} as never, folder)) results.push(result);
    return results;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function verdict(...args: Parameters<typeof replay>) {
  const [result] = await replay(...args);
  assert(result && "ok" in result);
  return [result.ok, result.tensor];
}

Deno.test("verifyCkpt() passes a good file, and fails one that differs in one value", async () => {
  assertEquals((await verdict("dtypes.pt", "dtypes.pt"))[0], true);
  const changes: [string, (recorded: Manifest["dtypes.pt"]) => void][] = [
    ["transposed", (recorded) => recorded.transposed!.values![1]! += 1e-6],
    ["bf16", (recorded) => recorded.bf16!.values![2] = 3.140626],
    ["big_int", (recorded) => recorded.big_int!.python = "1180591620717411303425"],
  ];
  for (const [key, change] of changes) {
    const changed = await verdict("dtypes.pt", "dtypes.pt", (m) => change(m["dtypes.pt"]));
    assertEquals(changed, [false, key]);
  }
});

Deno.test("verifyCkpt() fails a bad file that is not refused", async () => {
  assertEquals(await verdict("dtypes.pt", "malicious_not.pt"), [false, "not refused"]);
  const name = "malicious_os_system.pt";
  assertEquals(await verdict(name, name), [true, "refused"]);
});

Deno.test("verifyCkpt() fails a file that is not the recorded one, and says so", async () => {
  const change = ({ files }: Manifest) => {
    files["dtypes.pt"] = { ...files["dtypes.pt"]!, sha256: "00" };
  };
  const [result] = await replay("dtypes.pt", "dtypes.pt", change);
  assert(result && "ok" in result);
  assertEquals([result.ok, /dtypes\.pt must match its sha256/.test(result.reason!)], [false, true]);
});
