/**
 * Whether this Deno is new enough to load the project. An older one ends at the first import that it
 * lacks, with an error that tells nobody anything, so this file imports nothing.
 *
 * @module
 */

/** The oldest Deno on which the project has been seen to work. */
export const OLDEST_DENO = "2.8.0";

/** Below, at or above zero as `a` is older than, the same as or newer than `b`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(/[.+-]/).map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left![i] || 0) - (right![i] || 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * What the doctor prints on a Deno that is too old for anything else; null on others.
 *
 * @param json Whether it is to be for programs.
 */
export function refusalOfOldDeno(version: string, json: boolean): string | null {
  if (compareVersions(version, OLDEST_DENO) >= 0) return null;
  const text = `${version}, but the project needs ${OLDEST_DENO} or newer`;
  const remedy = "use ./denow in place of deno, which brings the right one, or run deno upgrade";
  const finding = { area: "runtime", name: "Deno", status: "fail", text, remedy };
  if (json) return JSON.stringify({ works: false, deno: version, findings: [finding] }, null, 2);
  return `Runtime\n  fail  Deno  ${text}\n              fix: ${remedy}\n` +
    `Training does not work here: Deno; first: ${remedy}`;
}
