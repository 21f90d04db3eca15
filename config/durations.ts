/**
 * Lengths of time as people write them, "5 epochs" or "2.5M images", as the steps that they are.
 *
 * @module
 */
import { UsageError } from "../support/errors.ts";
import { CONFIG, dottedFields } from "./description.ts";
import { isSection } from "./keys.ts";

/** A config counts in epochs, and nobody said how many images an epoch has. */
export class EpochsError extends UsageError {}

/** What a length of time means. */
export interface Clock {
  /** Images of the training set; a config in epochs is refused without. */
  readonly images?: number | undefined;
  /** Receives a line for each length that was not in steps. */
  readonly say?: ((line: string) => void) | undefined;
}

const FACTORS: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6 };

/** "5 epochs" in its parts, or null for any other text. */
function parseDuration(text: string): { amount: number; unit: string } | null {
  const [, digits = "", factor = "", unit = ""] =
    /^\s*(\d+(?:\.\d+)?)\s*([kM]?)\s*(step|epoch|image)s?\s*$/.exec(text) ?? [];
  return unit === "" ? null : { amount: Number(digits) * FACTORS[factor]!, unit };
}

/**
 * A config's tree with its lengths of time in steps of `train.batchSize` images, rounded up. Texts that
 * are none stay: their keys' rules refuse them. `train.epochs` becomes `train.steps`.
 *
 * @throws {EpochsError} For epochs without a number of images.
 */
export function resolveDurations(tree: unknown, clock: Clock): unknown {
  if (!isSection(tree)) return tree;
  const { epochs, ...train } = isSection(tree.train) ? tree.train : {} as Record<string, unknown>;
  const counted = typeof epochs === "number" && train.steps === undefined;
  let result: Record<string, unknown> = counted
    ? { ...tree, train: { ...train, steps: `${epochs} epochs` } }
    : tree;
  const batchSize = Number(train.batchSize ?? defaultOf("train.batchSize"));
  for (const { key, field } of dottedFields()) {
    if (field.kind !== "option" || field.rule.kind !== "number" || !field.rule.isDuration) continue;
    const text = valueAt(result, key);
    const duration = typeof text === "string" ? parseDuration(text) : null;
    if (!duration || !(batchSize >= 1)) continue;
    const steps = inSteps(duration, batchSize, key, clock);
    if (duration.unit !== "step") clock.say?.(`${key} of ${text} is ${steps} steps`);
    result = withValue(result, key.split("."), steps);
  }
  return result;
}

function inSteps(
  { amount, unit }: { amount: number; unit: string },
  batchSize: number,
  key: string,
  { images }: Clock,
): number {
  if (unit === "step") return Math.ceil(amount);
  if (unit === "image") return Math.ceil(amount / batchSize);
  if (images === undefined) {
    throw new EpochsError(
      `Cannot use ${key} in epochs: how many steps an epoch has depends on the data, which train alone ` +
        "counts; give it in steps or images",
    );
  }
  return Math.ceil(amount * images / batchSize - 1e-9);
}

function defaultOf(key: string): unknown {
  const found = [...dottedFields(CONFIG)].find((each) => each.key === key);
  return found?.field.kind === "option" ? found.field.initial : undefined;
}

function valueAt(tree: unknown, key: string): unknown {
  return key.split(".").reduce((node, name) => isSection(node) ? node[name] : undefined, tree);
}

function withValue(
  tree: Record<string, unknown>,
  [name = "", ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const inner = tree[name];
  return {
    ...tree,
    [name]: rest.length > 0 && isSection(inner) ? withValue(inner, rest, value) : value,
  };
}
