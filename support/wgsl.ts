/**
 * The template tag that WGSL is written with: `#if ${condition}`, `#elif ${condition}`, `#else` and
 * `#endif` choose text (each `#if` and `#elif` directly followed by its `${}`), any other `${value}`
 * is inserted as it is.
 *
 * @module
 */
// @ts-types="./wgsl_preprocessor.d.ts"
import { wgsl as preprocess } from "wgsl-preprocessor";
import type { WgslValue } from "./wgsl_preprocessor.d.ts";

export type { WgslValue };

/**
 * WGSL source from a template.
 *
 * @throws Error when an `#if` is not closed, or `#if`, `#elif`, `#else` and `#endif` do not match.
 */
export function wgsl(strings: TemplateStringsArray, ...values: readonly WgslValue[]): string {
  return preprocess(strings, ...values);
}
