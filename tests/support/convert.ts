/**
 * The convert command in this process.
 *
 * @module
 */
import { convert } from "../../commands/convert/main.ts";

type Given = Parameters<typeof convert>[0];

const NOTHING: Given["options"] = {
  ...{ to: undefined, weights: undefined, flagfile: undefined, prefix: undefined, raw: false },
};

/** Converts a file or folder. */
export function convertTo(
  from: string,
  to: string,
  options: Partial<Given["options"]> = {},
): Promise<void> {
  return convert({ options: { ...NOTHING, ...options }, arguments: [from, to], overrides: [] });
}
