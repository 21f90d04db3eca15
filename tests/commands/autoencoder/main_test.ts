import { readAutoencoder } from "../../../training/autoencoder_file.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { runScript } from "../../support/runs.ts";

const SCRIPT = "commands/autoencoder/main.ts";
const DATA = ["--data.size=8", "--data.synthetic.count=16", "--data.synthetic.channels=1"];

Deno.test("autoencoder writes an AutoencoderKL and says how a run takes it, and refuses wrong use", () =>
  inFolder(async (folder) => {
    const to = `${folder}/vae`;
    const args = ["synthetic", to, "--steps", "2", "--widths", "4,8", "--latent", "3"];
    const { out } = await runScript(SCRIPT, [...args, ...DATA]);
    assertStringIncludes(out, `--model.latent.autoencoder=${to} --model.latent.channels=3`);
    const { network } = await readAutoencoder(to);
    assertEquals([network.factor, network.options.normNumGroups], [2, 4]);
    const wrong: [string[], string][] = [
      [["synthetic"], "DATASET and FOLDER must be given"],
      [["synthetic", to, "--widths", "4,x"], "--widths must be whole numbers"],
      [["synthetic", to, "--widths", "4,4,4,4,4", ...DATA], "sides must be multiples of 16"],
      [["synthetic", folder], "the folder must be empty or hold one, it has vae"],
    ];
    for (const [args, part] of wrong) {
      const { code, err } = await runScript(SCRIPT, args);
      assert(code !== 0);
      assertStringIncludes(err, part);
    }
  }));
