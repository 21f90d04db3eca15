/**
 * Where the Hugging Face hub is, as whom it is asked, and where its files are kept, by the variables of
 * its own clients (huggingface_hub 2.0, constants.py).
 *
 * @module
 */
import { join } from "node:path";
import { expandHome } from "../../../support/home.ts";

/** The hub as this user has it. */
export interface HubSettings {
  /** Address without a slash at its end. */
  readonly endpoint: string;
  /** The folder with a folder for each repository. */
  readonly cache: string;
  /** What shows who asks; null asks as anybody. */
  readonly token: string | null;
  /** Whether nothing is asked of the network. */
  readonly offline: boolean;
}

/**
 * HF_ENDPOINT; HF_HUB_CACHE, else `hub` in HF_HOME, else in `huggingface` of the user's cache folder;
 * HF_TOKEN, else the file HF_TOKEN_PATH, else `token` in HF_HOME; HF_HUB_OFFLINE.
 *
 * @throws {Error} When no variable says where the user's files are.
 */
export async function hubSettings(
  env: (name: string) => string | undefined = Deno.env.get,
): Promise<HubSettings> {
  const home = pathIn(env, "HF_HOME") ?? join(cacheHome(env), "huggingface");
  const cache = pathIn(env, "HF_HUB_CACHE") ?? pathIn(env, "HUGGINGFACE_HUB_CACHE");
  return {
    endpoint: (env("HF_ENDPOINT") || "https://huggingface.co").replace(/\/+$/, ""),
    cache: cache ?? join(home, "hub"),
    token: env("HF_TOKEN")?.trim() || await readToken(pathIn(env, "HF_TOKEN_PATH"), home),
    offline: /^(1|on|yes|true)$/i.test(env("HF_HUB_OFFLINE") ?? ""),
  };
}

function pathIn(env: (name: string) => string | undefined, name: string): string | null {
  const path = env(name);
  return path ? expandHome(path, env) : null;
}

function cacheHome(env: (name: string) => string | undefined): string {
  const own = pathIn(env, "XDG_CACHE_HOME");
  if (own !== null) return own;
  const home = env("HOME") || env("USERPROFILE");
  if (home) return join(home, ".cache");
  throw new Error(
    "Cannot find the hub's cache: HF_HOME, XDG_CACHE_HOME or HOME must be set, got none",
  );
}

async function readToken(path: string | null, home: string): Promise<string | null> {
  try {
    return (await Deno.readTextFile(path ?? join(home, "token"))).trim() || null;
  } catch {
    // Most users have none.
    return null;
  }
}
