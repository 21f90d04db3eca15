import { join } from "node:path";
import { readSafetensors } from "../../../formats/safetensors.ts";
import { fromHalf } from "../../../formats/half.ts";
import { Checkpoint } from "../../../training/checkpoint.ts";
import { EMA_PREFIX } from "../../../training/state.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { type UploadHub, withUploadHub } from "../../support/hub_upload_server.ts";
import { randomCheckpoint } from "../../support/page_checkpoint.ts";
import { errorLines, runScript, smokeConfig } from "../../support/runs.ts";

const TOKEN = "hf_tEsTtOkEn";

/** A run with a checkpoint of step 3, a log, and grids of steps 2 and 4. */
async function makeRun(folder: string): Promise<Checkpoint> {
  const run = join(folder, "run");
  const config = await smokeConfig("data.dir=/home/somebody/pictures");
  const checkpoint = await randomCheckpoint(run, config);
  await Deno.mkdir(join(run, "samples"));
  for (const step of [2, 4]) {
    await Deno.writeTextFile(join(run, "samples", `step-00000${step}.png`), `grid ${step}`);
  }
  const lines = ['{"step":2,"loss":0.5,"fid":12.5}', '{"step":4,"loss":0.25,"fid":9}'];
  await Deno.writeTextFile(join(run, "log.jsonl"), lines.join("\n") + "\n");
  return checkpoint;
}

function sender(folder: string, { endpoint }: UploadHub, token: string | null = TOKEN) {
  const env = {
    ...{ HF_ENDPOINT: endpoint, HF_HOME: join(folder, "home"), HF_HUB_OFFLINE: "" },
    ...{ HF_TOKEN: token ?? "", HF_TOKEN_PATH: "", TMPDIR: folder },
  };
  return (...args: string[]) =>
    runScript("commands/export/main.ts", ["run", "--to", "hub", ...args], folder, env);
}

const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

/** What is left of a command's work in its folder for temporary files. */
const leftIn = (folder: string) =>
  Array.from(Deno.readDirSync(folder), ({ name }) => name).filter((name) =>
    name.startsWith("diffract-hub-")
  );

Deno.test("export --to hub sends weights, config, card and samples, which sampling reads again", () =>
  inFolder((folder) =>
    withUploadHub(TOKEN, async (hub) => {
      const checkpoint = await makeRun(folder);
      const send = sender(folder, hub);
      const result = await send("--repo", "me/shapes", "--license", "mit");
      assertEquals([result.code, result.err], [0, ""]);
      assertMatch(result.out, /^README\.md +[\d.,]+ .*\nconfig\.json /);
      assertStringIncludes(result.out, `Sent to ${hub.endpoint}/me/shapes as commit c0ffee0000`);
      const { isPrivate, branches, commits } = hub.repositories.get("me/shapes")!;
      assertEquals([isPrivate, commits], [false, ["Averaged weights of step 3"]]);
      const files = branches.get("main")!;
      const sent = ["README.md", "config.json", "model.safetensors", "samples.png"];
      assertEquals([...files.keys()].sort(), sent);
      assertEquals(textOf(files.get("samples.png")), "grid 2");
      const card = textOf(files.get("README.md"));
      assertStringIncludes(card, '---\nlicense: "mit"\nlibrary_name: "diffract"\n');
      assertStringIncludes(card, "| FID | 12.5 (step 2) |");
      assertStringIncludes(card, '"metrics":[{"type":"fid","name":"FID","value":12.5}]');
      for (const text of [textOf(files.get("config.json")), card]) {
        assert(!text.includes("somebody"), text);
      }

      const path = join(folder, "again.safetensors");
      await Deno.writeFile(path, files.get("model.safetensors")!);
      const again = await Checkpoint.open(path);
      assertEquals(again.step, 3);
      assert(!again.config.includes("somebody"));
      assertEquals([...again.tensors.keys()], [...checkpoint.tensors.keys()]);
      for (const [name, { shape }] of checkpoint.tensors) {
        assertEquals(await again.read(name, shape), await checkpoint.read(name, shape));
      }
      const drawn = await runScript(
        "sample.ts",
        ["--checkpoint", path, "--count", "1", "--steps", "1", "--out", join(folder, "one.png")],
      );
      assertEquals(drawn.code, 0, drawn.err);
      assertEquals(leftIn(folder), []);
    })
  ));

Deno.test("export --to hub sends halves to a branch of a private repository, with the log on request", () =>
  inFolder((folder) =>
    withUploadHub(TOKEN, async (hub) => {
      const checkpoint = await makeRun(folder);
      const send = sender(folder, hub, null);
      await Deno.mkdir(join(folder, "home"));
      await Deno.writeTextFile(join(folder, "home", "token"), `${TOKEN}\n`);
      const args = ["--repo", "me/shapes", "--private", "--precision", "bf16"];
      const more = ["--revision", "v/2", "--log"];
      for (const _ of [1, 2]) {
        const result = await send(...args, ...more);
        assertEquals([result.code, result.err], [0, ""]);
      }
      const { isPrivate, branches } = hub.repositories.get("me/shapes")!;
      assertEquals([isPrivate, [...branches.keys()]], [true, ["main", "v/2"]]);
      assertEquals(branches.get("main")!.size, 0);
      const files = branches.get("v/2")!;
      assertStringIncludes(textOf(files.get("log.jsonl")), '"fid":9');
      const { tensors } = readSafetensors(files.get("model.safetensors")!);
      const [name, place] = [...checkpoint.tensors][0]!;
      assert(name.startsWith(EMA_PREFIX));
      const { dtype, data } = tensors.get(name)!;
      assertEquals(dtype, "BF16");
      const values = await checkpoint.read(name, place.shape);
      const halves = fromHalf(data as Uint16Array, "BF16");
      halves.forEach((half, i) => {
        assert(Math.abs(half - values[i]!) <= 2 ** -8 * Math.abs(values[i]!), `${half}`);
      });
      // What had arrived is not sent again.
      assertEquals(hub.asked.filter((line) => line.startsWith("PUT")).length, 2);

      hub.repositories.get("me/shapes")!.isPrivate = false;
      const open = await send(...args);
      assertEquals(open.code, 2);
      assertMatch(errorLines(open)[0]!, /me\/shapes: it must be private, there is a public one/);
    })
  ));

Deno.test("export --to hub --dry-run lists files and sizes and sends nothing, without a token too", () =>
  inFolder((folder) =>
    withUploadHub(TOKEN, async (hub) => {
      await makeRun(folder);
      const send = sender(folder, hub, null);
      const result = await send("--repo", "me/shapes", "--dry-run", "--private");
      assertEquals([result.code, result.err], [0, ""]);
      assertMatch(result.out, /^samples\.png +6 bytes$/m);
      assertMatch(result.out, /would go to \S+\/me\/shapes, private; nothing was sent/);
      assertEquals([hub.asked, leftIn(folder)], [[], []]);
    })
  ));

Deno.test("export --to hub says in one line what is missing or refused, and never the token", () =>
  inFolder((folder) =>
    withUploadHub(TOKEN, async (hub) => {
      await makeRun(folder);
      const send = sender(folder, hub);
      const refusals: [ReturnType<typeof sender>, string[], RegExp][] = [
        [sender(folder, hub, null), ["--repo", "me/a"], /must be a token with write access/],
        [sender(folder, hub, "hf_other"), ["--repo", "me/a"], /who may write there.*answered 401/],
        [sender(folder, hub, "secret"), ["--repo", "me/a"], /a token must start with hf_/],
        [send, [], /--repo OWNER\/NAME must be given, got no --repo/],
        [send, ["--repo", "shapes"], /--repo must be OWNER\/NAME/],
        [send, ["--repo", "me/a", "--out", "b"], /--out must go with --to trackio or wandb/],
        [send, ["--repo", "me/a", "--revision", "a b"], /must be a branch of letters/],
      ];
      for (const [by, args, expected] of refusals) {
        const result = await by(...args);
        assertEquals(result.code, 2, result.err);
        assertMatch(errorLines(result)[0]!, expected);
        assertEquals(errorLines(result).length, 1);
        assert(!/hf_other|secret/.test(result.err), result.err);
      }
      const other = await runScript(
        "commands/export/main.ts",
        ["run", "--to", "wandb", "--dry-run"],
        folder,
      );
      assertMatch(errorLines(other)[0]!, /--dry-run must go with --to hub, got --to wandb/);
      assertEquals(hub.repositories.size, 0);
    })
  ));

Deno.test("export --to hub ends with 1 and one line when the network fails, and can be repeated", () =>
  inFolder((folder) =>
    withUploadHub(TOKEN, async (hub) => {
      await makeRun(folder);
      const send = sender(folder, hub);
      const gone = { ...hub, endpoint: "http://127.0.0.1:1" };
      const nobody = await sender(folder, gone)("--repo", "me/a");
      assertEquals(nobody.code, 1);
      assertEquals(errorLines(nobody).length, 1, nobody.err);
      assertMatch(errorLines(nobody)[0]!, /127\.0\.0\.1:1 must take the files, it does not/);

      hub.faults.storeDown = true;
      const broken = await send("--repo", "me/a");
      assertEquals(broken.code, 1);
      assertMatch(errorLines(broken)[0]!, /answered 503 .*run the same command again$/);
      assertEquals(errorLines(broken).length, 1);
      assert(!/signature|secret|hf_/.test(broken.err), broken.err);
      assertEquals(hub.repositories.get("me/a")!.branches.get("main")!.size, 0);
      hub.faults.storeDown = false;
      const again = await send("--repo", "me/a");
      assertEquals(again.code, 0, again.err);
      assertEquals(hub.repositories.get("me/a")!.branches.get("main")!.size, 4);
      assertEquals(leftIn(folder), []);
    })
  ));
