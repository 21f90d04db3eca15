import { join } from "node:path";
import { hubSettings } from "../../../data/fetching/hub/settings.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

Deno.test("hubSettings() follows the variables of the hub's own clients in their order", () =>
  inFolder(async (home) => {
    const of = (env: Record<string, string>) => hubSettings((name) => env[name]);
    const usual = { endpoint: "https://huggingface.co", token: null, offline: false };
    const own = join(home, ".cache", "huggingface", "hub");
    assertEquals(await of({ HOME: home }), { ...usual, cache: own });
    const shared = { HOME: home, XDG_CACHE_HOME: join(home, "xdg") };
    assertEquals((await of(shared)).cache, join(home, "xdg", "huggingface", "hub"));
    const told = { ...shared, HF_HOME: "~/hf" };
    assertEquals((await of(told)).cache, join(home, "hf", "hub"));
    assertEquals((await of({ ...told, HF_HUB_CACHE: "~/cache" })).cache, join(home, "cache"));

    await Deno.mkdir(join(home, "hf"));
    await Deno.writeTextFile(join(home, "hf", "token"), "hf_file\n");
    assertEquals((await of(told)).token, "hf_file");
    assertEquals((await of({ ...told, HF_TOKEN: "hf_env" })).token, "hf_env");
    assertEquals((await of({ ...told, HF_TOKEN_PATH: join(home, "none") })).token, null);
    const other = await of({ HOME: home, HF_ENDPOINT: "http://here/", HF_HUB_OFFLINE: "1" });
    assertEquals([other.endpoint, other.offline], ["http://here", true]);
    await assertRejects(() => of({}), Error, "HF_HOME, XDG_CACHE_HOME or HOME must be set");
  }));
