/**
 * Flags of the chain of networks that zjuyzj/pytorch-ddpm trains: `tau`, `layer_loss_factor`, and `net_cfg`,
 * a JSON file such as
 *
 *     {"net_type": "UNet", "cfg": [{"alpha": 8, "beta": 4}, {"alpha": 4, "beta": 2}], "ratio_cfg": [0.5, 0.5]}
 *
 * of networks with 2 alpha blocks of 16 beta channels, in parts of the timesteps.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { parseJson } from "../../config/json.ts";
import type { Override } from "../../config/load.ts";
import { UsageError } from "../../support/errors.ts";
import { readNamedFile } from "../../support/files.ts";

/** Flags that only the chain has. */
export const CHAIN_FLAGS: readonly string[] = ["tau", "net_cfg", "layer_loss_factor"];

/** The file that the code names by default; the config of the chain has what it says. */
const EXAMPLE = "unet_example.json";

/** Blocks and channels of a part of the timesteps. */
interface Part {
  readonly blocks: number;
  readonly channels: number;
}

/**
 * What a file of `net_cfg` says, as overrides.
 *
 * @param path names the file in errors
 * @throws {UsageError} When it says what no chain here is.
 */
export function chainOverrides(text: string, path: string): Override[] {
  const wrong = (rule: string, got: unknown) =>
    new UsageError(`Cannot use ${path}: ${rule}, got ${JSON.stringify(got)?.slice(0, 80)}`);
  const file = parseJson(text, path);
  const { net_type: type, cfg, ratio_cfg: ratios } = recordOf(file);
  if (type !== "UNet") {
    throw wrong("net_type must be UNet, the only network of chains here", type);
  }
  if (!Array.isArray(cfg) || cfg.length === 0) throw wrong("cfg must list networks", cfg);
  const parts = cfg.map((one): Part => {
    const { alpha, beta } = recordOf(one);
    if (isCount(alpha) && isCount(beta)) return { blocks: 2 * alpha, channels: 16 * beta };
    throw wrong("every network of cfg must have alpha and beta, whole numbers above 0", one);
  });
  const even = Array.isArray(ratios) && ratios.length === parts.length &&
    ratios.every((ratio) => Math.abs(ratio * parts.length - 1) < 1e-6);
  if (!even) {
    throw wrong(`ratio_cfg must be ${parts.length} equal shares, as parts here are equal`, ratios);
  }
  return [
    ["model.blocks", JSON.stringify(parts.map(({ blocks }) => blocks))],
    ["model.channels", JSON.stringify(parts.map(({ channels }) => channels))],
  ];
}

/**
 * Reads the file that `net_cfg` names: from where we are, as that code does, or from the flag file's folder
 * or the one above it, as the repository has them.
 *
 * @throws {UsageError} When there is none, unless it is the code's own example, or it says what no chain
 *   here is.
 */
export async function readChainOverrides(
  named: string,
  flagfile: string,
  say: (line: string) => void,
): Promise<Override[]> {
  const folder = dirname(flagfile);
  for (const path of [named, join(folder, named), join(dirname(folder), named)]) {
    const found = await Deno.stat(path).catch(() => null);
    if (found?.isFile) {
      return chainOverrides(new TextDecoder().decode(await readNamedFile("networks", path)), path);
    }
  }
  if (basename(named) !== EXAMPLE) await readNamedFile("networks", named);
  say(`note: ${named} is not there; blocks and channels are those of that code's own ${EXAMPLE}`);
  return [];
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}
