/**
 * Recorded reference numbers: safetensors files with a manifest each, and the budgets that results are
 * held to.
 *
 * @module
 */
import { readSafetensors, type StoredTensor } from "../../formats/safetensors.ts";
import { UsageError } from "../../support/errors.ts";
import { readFileChecked } from "../../support/files.ts";
import { toF32 } from "../shared/checkpoints/floats.ts";

/** Distance from 1 to the next f32. */
const EPSILON = 2 ** -23;

/** Recorded values of one tensor, in PyTorch's layout. */
export interface Recorded {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Which case it is about. */
export interface CaseName {
  readonly case: string;
  readonly family: string;
  readonly op: string;
}

/** What became of one case. */
export type CaseResult =
  | CaseName & {
    readonly ok: boolean;
    /** The tensor nearest to its budget, or farthest beyond it. */
    readonly tensor: string;
    /** Its worst element's absolute error. */
    readonly worst: number;
    readonly budget: number;
    /** Why the case could not be replayed to its end. */
    readonly reason?: string;
    /** What is recorded of it and has no counterpart here. */
    readonly apart?: readonly string[];
  }
  | CaseName & {
    readonly unsupported: true;
    /** What is not known. */
    readonly reason: string;
  };

/** Ends a case with something that it asks for and that is not known here. */
export class Unsupported extends Error {}

/** The line of a case that is not known. */
export function unsupported(name: CaseName, reason: string): CaseResult {
  return { ...name, unsupported: true, reason };
}

type Replayed = CaseResult | Iterable<CaseResult> | AsyncIterable<CaseResult>;

/**
 * Replays a case, or several that depend on each other. Whatever is thrown ends them alone: in a line
 * that says so under `name`, a failed one unless it is {@linkcode Unsupported}.
 */
export async function* replay(
  name: CaseName,
  cases: () => Replayed | Promise<Replayed>,
): AsyncGenerator<CaseResult> {
  try {
    const results = await cases();
    if ("case" in results) yield results;
    else yield* results;
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
    if (error instanceof Unsupported) yield unsupported(name, reason);
    else yield { ...name, ok: false, tensor: "", worst: Infinity, budget: 0, reason };
  }
}

/** One family of recorded numbers. */
export class GoldenFile {
  private constructor(
    /** The manifest, whose form depends on the family. */
    readonly manifest: Readonly<Record<string, unknown>>,
    private readonly tensors: ReadonlyMap<string, Recorded>,
  ) {}

  /**
   * Reads `family.safetensors` and `family.manifest.json` of a folder.
   *
   * @throws {UsageError} When a file is missing or damaged.
   */
  static async read(folder: string, family: string): Promise<GoldenFile> {
    try {
      const bytes = await readFileChecked(`${folder}/${family}.safetensors`);
      const text = await readFileChecked(`${folder}/${family}.manifest.json`);
      const tensors = new Map<string, Recorded>();
      for (const [name, tensor] of readSafetensors(bytes).tensors) {
        tensors.set(name, { shape: tensor.shape, data: numbersOf(tensor) });
      }
      return new GoldenFile(JSON.parse(new TextDecoder().decode(text)), tensors);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new UsageError(`Cannot verify ${family} of ${folder}: ${reason}`);
    }
  }

  /** Names of the recorded tensors. */
  get names(): string[] {
    return [...this.tensors.keys()];
  }

  /** Whether a tensor is recorded. */
  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /**
   * A recorded tensor.
   *
   * @throws {UsageError} When it is missing.
   */
  get(name: string): Recorded {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new UsageError(`Cannot verify: tensor ${name} must be in the file`);
    return tensor;
  }

  /** A recorded tensor as f32. */
  f32(name: string): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.get(name).data);
  }
}

/** A tensor's elements as numbers; halves are widened, which is exact. */
function numbersOf(tensor: StoredTensor): ArrayLike<number> {
  const { dtype, data } = tensor;
  if (dtype === "F16" || dtype === "BF16") return toF32(tensor);
  return data instanceof BigInt64Array || data instanceof BigUint64Array
    ? Array.from(data, Number)
    : data;
}

/** Largest absolute value. */
export function maxAbs(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/**
 * Budget of a tensor's worst element: ten times PyTorch's own f32 error `e`, but at least four units in
 * the last place at the tensor's scale `s`.
 */
export function budgetOf(e: number, s: number): number {
  return Math.max(10 * e, 4 * EPSILON * s);
}

/** Budget of formulas without a recorded error. */
export function formulaBudget(s: number): number {
  return 8 * EPSILON * s;
}

/** Gathers comparisons of one case; a case is as good as its tensor nearest to its budget. */
export class Comparison {
  #tensor = "";
  #worst = 0;
  #budget = 0;
  #share = -1;
  #ok = true;

  constructor(
    private readonly name: string,
    private readonly family: string,
    private readonly op: string,
  ) {}

  /** Compares every element; non-finite values fail unless the reference is the same. */
  check(tensor: string, actual: ArrayLike<number>, expected: ArrayLike<number>, budget: number) {
    let worst = actual.length === expected.length ? 0 : Infinity;
    for (let i = 0; i < expected.length && worst !== Infinity; i++) {
      if (Object.is(actual[i], expected[i])) continue;
      const error = Math.abs(actual[i]! - expected[i]!);
      worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
    }
    this.note(tensor, worst, budget, worst <= budget);
  }

  /** Adds an outcome that was judged by another rule. */
  note(tensor: string, worst: number, budget: number, ok: boolean): void {
    const share = (ok ? 0 : 1e9) + (budget > 0 ? worst / budget : worst > 0 ? 1e9 : 0);
    this.#ok &&= ok;
    if (share <= this.#share) return;
    this.#share = share;
    this.#tensor = tensor;
    this.#worst = worst;
    this.#budget = budget;
  }

  /** The case's line; one that has compared nothing has failed. */
  result(): CaseResult {
    const reason = this.#share < 0 ? "nothing is recorded that could be compared" : undefined;
    return {
      ...(reason ? { reason } : {}),
      case: this.name,
      family: this.family,
      op: this.op,
      ok: this.#ok && !reason,
      tensor: this.#tensor,
      worst: this.#worst,
      budget: this.#budget,
    };
  }
}
