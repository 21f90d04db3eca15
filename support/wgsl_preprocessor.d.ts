/** What may stand in a `wgsl` template; `#if` and `#elif` test it for truth. */
export type WgslValue = string | number | boolean;

export function wgsl(strings: TemplateStringsArray, ...values: readonly WgslValue[]): string;
