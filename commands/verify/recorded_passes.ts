/**
 * What the manifest of a recorded network tells of its passes.
 *
 * @module
 */
import { budgetOf, type GoldenFile } from "./golden.ts";

/** PyTorch's error of a tensor and its size. */
export interface RecordedError {
  readonly max_abs_f32_vs_f64: number;
  readonly scale_absmax_f64: number;
}

/** What a manifest tells of a pass's results. */
export interface PassResults {
  readonly loss?: number;
  readonly loss_f64?: number;
  readonly grads?: Readonly<Record<string, RecordedError>>;
  readonly activations?: Readonly<Record<string, RecordedError>>;
  /** First values of what a forward pass has written over. */
  readonly after?: Readonly<Record<string, RecordedError>>;
  readonly running_stats_after_one_forward?: Readonly<Record<string, RecordedError>>;
  readonly zero_gradient_params?: readonly string[];
  readonly grad_max_over_all_params_f64?: number;
  readonly [output: string]: unknown;
}

/** A pass as manifests tell it. */
export interface PassDescription {
  readonly name: string;
  readonly prefix: string;
  readonly mode: "eval" | "train";
  readonly grad: boolean;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** Passes of a manifest; those of older ones follow from their results. */
export function describedPasses({ manifest }: GoldenFile): readonly PassDescription[] {
  if (manifest.passes) return manifest.passes as PassDescription[];
  const results = manifest.results as PassResults;
  if (isError(results.out)) return [{ name: "", prefix: "", mode: "eval", grad: true }];
  return Object.entries(results).map(([name, of]) => ({
    name,
    prefix: `${name}.`,
    mode: name === "train" ? "train" : "eval",
    grad: (of as PassResults).grads !== undefined,
  }));
}

/** The results of a pass; those of the main one, without a name, are the manifest's own. */
export function resultsOf({ manifest }: GoldenFile, pass: string): PassResults {
  const results = manifest.results as PassResults;
  return pass === "" ? results : (results[pass] ?? {}) as PassResults;
}

/** The case's name in its manifest, or the file's. */
export function caseName({ manifest }: GoldenFile): string {
  return (manifest.case as string | undefined) ??
    String(manifest.file ?? "network").replace(/\.safetensors$/, "");
}

/** Whether something is told with its error. */
export function isError(value: unknown): value is RecordedError {
  return typeof value === "object" && value !== null && "max_abs_f32_vs_f64" in value;
}

/** The budget of a tensor. */
export const budgetOfError = ({ max_abs_f32_vs_f64: e, scale_absmax_f64: s }: RecordedError) =>
  budgetOf(e, s);
