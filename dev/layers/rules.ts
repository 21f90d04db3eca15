/**
 * What imports must obey: ranks, verbs, web pages, packages, and no circles.
 *
 * @module
 */
import { findCircles } from "./circles.ts";
import type { Import } from "./imports.ts";
import {
  BENCH_COMMAND,
  FACES,
  isPortable,
  OUTSIDE,
  PACKAGE_ROOMS,
  RANKS,
  roomOf,
  verbOf,
} from "./rooms.ts";

/** One sentence a violation, in the order of the imports; none when all is well. */
export function checkImports(imports: readonly Import[]): string[] {
  const violations = new Set<string>();
  const wrappers = new Map<string, string>();
  const checked = imports.filter(({ from }) => !OUTSIDE.has(roomOf(from)));
  for (const found of checked) {
    const why = isRelative(found) ? refusedBecause(found) : packageRefusal(found, wrappers);
    const name = isRelative(found) ? found.to : found.specifier;
    if (why !== undefined) violations.add(`Cannot import ${name} from ${found.from}: ${why}`);
  }
  for (const circle of findCircles(checked)) {
    violations.add(`Cannot import in a circle: ${[...circle, circle[0]].join(" -> ")}`);
  }
  return [...violations];
}

const isRelative = ({ specifier }: Import) => /^\.{1,2}\//.test(specifier);

/** Why a file may not import another one. */
function refusedBecause({ from, to, typeOnly }: Import): string | undefined {
  if (to.startsWith("file:")) return "imports must stay inside the repository";
  if (FACES.has(to)) return `${to} is for users and is never imported from inside`;
  const room = roomOf(from), target = roomOf(to);
  if (OUTSIDE.has(target)) {
    if (target === "bench" && from === BENCH_COMMAND) return undefined;
    return `nothing outside tests and bench may import ${target}`;
  }
  const targetRank = RANKS[target];
  if (targetRank === undefined) return `${target} is no room that imports may name`;
  const rank = RANKS[room];
  if (rank === undefined) return `${room} has no rank, add it to dev/layers/rooms.ts`;
  if (room !== target && targetRank >= rank) {
    const lower = Object.keys(RANKS).filter((name) => RANKS[name]! < rank);
    return `${room} may import only ${lower.join(", ") || "files of its own"}`;
  }
  const verb = verbOf(from), other = verbOf(to);
  if (room === "lab" && other !== undefined && other !== "shared") {
    return "of the commands it may import only commands/shared";
  }
  if (verb !== undefined && other !== undefined && other !== verb && other !== "shared") {
    const own = verb === "shared" ? "" : `commands/${verb} and `;
    return `of the commands it may import only ${own}commands/shared`;
  }
  if (!typeOnly && isPortable(from) && !isPortable(to)) {
    return `${from} must run in a web page, and ${to} is not among the files that do`;
  }
  return undefined;
}

/** Why a file may not import a package or a part of node. */
function packageRefusal(
  { from, specifier }: Import,
  wrappers: Map<string, string>,
): string | undefined {
  if (specifier.startsWith("node:")) {
    return isPortable(from) ? `${from} must run in a web page` : undefined;
  }
  if (/^[a-z]+:|^\//i.test(specifier)) {
    return "packages must be named by their bare alias from deno.json";
  }
  if (!PACKAGE_ROOMS.has(roomOf(from))) {
    return "only support, formats and config may name a third-party package";
  }
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  const wrapper = wrappers.get(name) ?? from;
  wrappers.set(name, wrapper);
  return wrapper === from ? undefined : `${name} must be wrapped in one file, ${wrapper}`;
}
