/**
 * Files that import each other, by way of any others.
 *
 * @module
 */
import type { Import } from "./imports.ts";

/**
 * Shortest circles, those of types included: at least one of every group of files that reach each
 * other, each as the files along it, none twice.
 */
export function findCircles(imports: readonly Pick<Import, "from" | "to">[]): string[][] {
  const targets = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    targets.set(from, (targets.get(from) ?? new Set()).add(to));
  }
  const circles: string[][] = [];
  const told = new Set<string>();
  for (const start of targets.keys()) {
    if (told.has(start)) continue;
    const circle = shortestCircle(targets, start);
    if (!circle) continue;
    circles.push(circle);
    for (const file of circle) told.add(file);
  }
  return circles;
}

/** The shortest way from a file back to itself, breadth first. */
function shortestCircle(
  targets: ReadonlyMap<string, ReadonlySet<string>>,
  start: string,
): string[] | undefined {
  const before = new Map<string, string>();
  const reached = [start];
  for (const file of reached) {
    for (const target of targets.get(file) ?? []) {
      if (target === start) {
        const circle = [file];
        while (circle[0] !== start) circle.unshift(before.get(circle[0]!)!);
        return circle;
      }
      if (before.has(target)) continue;
      before.set(target, file);
      reached.push(target);
    }
  }
  return undefined;
}
