/**
 * Checks the layering: every import goes down the ranks of the rooms, the pure rooms touch no host,
 * only device/ touches the GPU's objects, and each third-party package is wrapped once. Part of the
 * test command.
 *
 * @module
 */
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand, runCommand } from "../../support/command_line.ts";

/** A room's rank: it may import lower ranks and itself, but not its siblings. */
const ranks: Readonly<Record<string, number>> = {
  "the scripts": 8,
  dev: 9,
  run_log: 7,
  config: 6,
  training: 5,
  metrics: 5,
  diffusion: 4,
  model: 4,
  optim: 4,
  data: 4,
  autograd: 3,
  kernels: 2,
  device: 1,
  formats: 1,
  support: 0,
};
const scripts = new Set(["train.ts", "sample.ts", "eval.ts"]);
/** Rooms that run in a web page unchanged. */
const pureRooms = new Set(["device", "kernels", "autograd", "model", "optim", "diffusion"]);
const packageRooms = new Set(["support", "formats", "config"]);
/** Not shipped: they may import anything, and nothing imports them. */
const outside = new Set(["tests", "bench"]);
/** The command that runs the benchmarks, which no other file may reach. */
const benchCommand = "commands/bench/main.ts";
const publicApi = "mod.ts";

/** One import, of whatever form. */
interface Import {
  specifier: string;
  /** Erased before running. */
  typeOnly: boolean;
}

/** A source file, read once. */
interface Source {
  /** The text with comments, strings and regular expressions blanked; same length, same lines. */
  code: string;
  /** The contents of plain string literals by the offset of their opening quote. */
  strings: ReadonlyMap<number, string>;
}

/**
 * Checks source files by path ("kernels/conv2d.ts", relative to the repository).
 *
 * @returns One sentence a violation, in the order of the files; none when all is well.
 */
export function checkLayers(files: ReadonlyMap<string, string>): string[] {
  const violations: string[] = [];
  const sources = new Map<string, Source>();
  const imports = new Map<string, Import[]>();
  for (const [path, text] of files) {
    if (outside.has(roomOf(path))) continue;
    const source = scan(text);
    sources.set(path, source);
    const found = findImports(source);
    imports.set(path, found.imports);
    if (found.computed) {
      violations.push(
        `Cannot check an import in ${path}: a dynamic import must name its module in a plain string`,
      );
    }
  }
  const wrappers = new Map<string, string>();
  const hosts = findHostUsers(sources, imports);
  for (const [path, source] of sources) {
    for (const found of imports.get(path)!) {
      violations.push(...checkImport(path, found, wrappers, hosts));
    }
    violations.push(...checkWords(path, source));
  }
  return [...new Set(violations)];
}

/** The room that a path belongs to: a top folder, "the scripts", or "" for other top files. */
function roomOf(path: string): string {
  const slash = path.indexOf("/");
  if (slash < 0) return scripts.has(path) ? "the scripts" : "";
  const folder = path.slice(0, slash);
  return folder === "commands" ? "the scripts" : folder;
}

function checkImport(
  importer: string,
  { specifier, typeOnly }: Import,
  wrappers: Map<string, string>,
  hosts: ReadonlySet<string>,
): string[] {
  if (specifier.startsWith("node:")) return []; // checkWords knows where these may stand.
  if (!/^\.{1,2}\//.test(specifier)) return checkPackage(importer, specifier, wrappers);
  const target = posix.normalize(posix.join(posix.dirname(importer), specifier));
  const refusal = refusedBecause(importer, target);
  if (refusal !== undefined) return [`Cannot import ${target} from ${importer}: ${refusal}`];
  if (!typeOnly && pureRooms.has(roomOf(importer)) && hosts.has(target)) {
    return [
      `Cannot import ${target} from ${importer}: ${
        roomOf(importer)
      } must run in a web page, ${target} uses Deno or node`,
    ];
  }
  return [];
}

/** Why `importer` may not import `target`, both paths in the repository. */
function refusedBecause(importer: string, target: string): string | undefined {
  if (target.startsWith("../../")) return "imports must stay inside the repository";
  if (target === publicApi) return `${publicApi} is for users and is never imported from inside`;
  const from = roomOf(importer), to = roomOf(target);
  if (outside.has(to)) {
    return to === "bench" && importer === benchCommand
      ? undefined
      : `nothing outside tests and bench may import ${to}`;
  }
  const targetRank = ranks[to];
  if (targetRank === undefined) return `${to || target} is no room that imports may name`;
  if (importer === publicApi) return undefined;
  const rank = ranks[from];
  if (rank === undefined) return `${from || importer} has no rank, add it to dev/layers/main.ts`;
  if (from === to || targetRank < rank) return undefined;
  const lower = Object.keys(ranks).filter((room) => ranks[room]! < rank);
  return `${from} may import only ${lower.join(", ") || "files of its own"}`;
}

function checkPackage(
  importer: string,
  specifier: string,
  wrappers: Map<string, string>,
): string[] {
  const refuse = (why: string) => [`Cannot import ${specifier} from ${importer}: ${why}`];
  if (/^[a-z]+:|^\//i.test(specifier)) {
    return refuse("packages must be named by their bare alias from deno.json");
  }
  if (!packageRooms.has(roomOf(importer))) {
    return refuse("only support, formats and config may name a third-party package");
  }
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  const wrapper = wrappers.get(name) ?? importer;
  wrappers.set(name, wrapper);
  return wrapper === importer ? [] : refuse(`${name} must be wrapped in one file, ${wrapper}`);
}

/** Words that only some rooms may use. */
function checkWords(path: string, { code, strings }: Source): string[] {
  const room = roomOf(path);
  const violations: string[] = [];
  const refuse = (offset: number, what: string, rule: string) => {
    const line = code.slice(0, offset).split("\n").length;
    violations.push(`Cannot use ${what} in ${path}:${line}: ${rule}`);
  };
  if (room !== "device") {
    const gpu = /\bnavigator\b(?:\s*\??\.\s*(\w+))?|\b(?:createBuffer|createComputePipeline)\w*\b/g;
    for (const match of code.matchAll(gpu)) {
      // `navigator` with another property than gpu is no business of device.
      if (match[1] !== undefined && match[1] !== "gpu") continue;
      const what = match[0].startsWith("navigator") ? "navigator.gpu" : match[0];
      refuse(match.index, what, "only device may ask for GPUs, make buffers or pipelines");
    }
  }
  if (pureRooms.has(room)) {
    const rule = `${room} must run in a web page, pass what it needs as an argument`;
    for (const match of code.matchAll(hostWords)) refuse(match.index, match[1]!, rule);
    for (const [offset, value] of strings) {
      if (value.startsWith("node:")) refuse(offset, value, rule);
    }
  }
  return violations;
}

/** Host objects as names of their own, not as properties, keys or members of something else. */
const hostWords = /(?<![\w$.])(Deno|console)(?=\s*(?:\??\.|\[))/g;

/** Files that use Deno or node, themselves or through what they import. */
function findHostUsers(
  sources: ReadonlyMap<string, Source>,
  imports: ReadonlyMap<string, readonly Import[]>,
): Set<string> {
  const importers = new Map<string, string[]>();
  const pending: string[] = [];
  for (const [path, { code }] of sources) {
    let uses = /(?<![\w$.])Deno\s*(?:\??\.|\[)/.test(code);
    for (const { specifier, typeOnly } of imports.get(path)!) {
      if (typeOnly) continue;
      if (specifier.startsWith("node:")) uses = true;
      if (!specifier.startsWith("../../commands")) continue;
      const target = posix.normalize(posix.join(posix.dirname(path), specifier));
      importers.set(target, [...importers.get(target) ?? [], path]);
    }
    if (uses) pending.push(path);
  }
  const users = new Set<string>();
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (users.has(path)) continue;
    users.add(path);
    pending.push(...importers.get(path) ?? []);
  }
  return users;
}

function findImports({ code, strings }: Source): { imports: Import[]; computed: boolean } {
  const imports: Import[] = [];
  let computed = false;
  const add = (quote: number, typeOnly: boolean) => {
    const specifier = strings.get(quote);
    if (specifier === undefined) computed = true;
    else imports.push({ specifier, typeOnly });
  };
  // import x, { y } from "z"; export { y } from "z"; export * from "z".
  const withFrom = /(?<![\w$.])(?:import|export)\b(\s+type\b)?[\w\s{},*$]*?\bfrom\s*(?=["'])/g;
  for (const match of code.matchAll(withFrom)) {
    add(match.index + match[0].length, match[1] !== undefined);
  }
  // import "z".
  for (const match of code.matchAll(/(?<![\w$.])import\s*(?=["'])/g)) {
    add(match.index + match[0].length, false);
  }
  // import("z"), as a value or as a type.
  for (const match of code.matchAll(/(?<![\w$.])import\s*\(\s*/g)) {
    add(match.index + match[0].length, false);
  }
  return { imports, computed };
}

/** Words after which a slash begins a regular expression. */
const beforeExpression = new Set(
  "return typeof case in of delete void throw new else do await yield instanceof".split(" "),
);

/** Separates code from comments, strings, templates and regular expressions. */
function scan(text: string): Source {
  const code = text.split("");
  const strings = new Map<number, string>();
  const blank = (from: number, to: number) => {
    for (let k = from; k < to; k++) if (code[k] !== "\n") code[k] = " ";
  };
  /** For each template that is open, the depth of braces inside its current ${}. */
  const templates: number[] = [];
  /** Whether a slash here would divide. */
  let afterValue = false;
  let i = 0;
  while (i < text.length) {
    const c = text[i]!;
    const pair = text.slice(i, i + 2);
    let end = i + 1;
    if (/\s/.test(c)) {
      // Leaves afterValue as it is.
    } else if (pair === "//" || pair === "/*") {
      end = endOfComment(text, i);
      blank(i, end);
    } else if (c === '"' || c === "'") {
      end = endOfQuoted(text, i, c);
      strings.set(i, text.slice(i + 1, end - 1));
      blank(i + 1, end - 1);
      afterValue = true;
    } else if (c === "`" || (c === "}" && templates.at(-1) === 0)) {
      if (c === "}") templates.pop();
      const stop = endOfTemplateText(text, i + 1);
      blank(i + 1, stop);
      const more = text[stop] === "$";
      if (more) templates.push(0);
      else if (c === "`") strings.set(i, text.slice(i + 1, stop));
      end = stop + (more ? 2 : 1);
      afterValue = !more;
    } else if (c === "/" && !afterValue) {
      end = endOfRegularExpression(text, i);
      blank(i + 1, end - 1);
      afterValue = true;
    } else if (/[\w$]/.test(c)) {
      end = i + /^[\w$]+/.exec(text.slice(i, i + 256))![0].length;
      afterValue = !beforeExpression.has(text.slice(i, end));
    } else {
      if (templates.length > 0 && c === "{") templates[templates.length - 1]!++;
      if (templates.length > 0 && c === "}") templates[templates.length - 1]!--;
      // A mark directly after a value is TypeScript's non-null assertion.
      const assertion: boolean = c === "!" && afterValue && /[\w$)\]]/.test(text[i - 1] ?? "");
      afterValue = assertion || c === ")" || c === "]" || c === "}";
    }
    i = end;
  }
  return { code: code.join(""), strings };
}

function endOfComment(text: string, start: number): number {
  const [mark, length] = text[start + 1] === "/" ? ["\n", 0] : ["*/", 2];
  const end = text.indexOf(mark, start + 2);
  return end < 0 ? text.length : end + length;
}

function endOfQuoted(text: string, start: number, quote: string): number {
  let i = start + 1;
  while (i < text.length && text[i] !== quote) i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

/** The offset of the closing backtick, or of the next "${". */
function endOfTemplateText(text: string, start: number): number {
  let i = start;
  while (i < text.length && text[i] !== "`" && text.slice(i, i + 2) !== "${") {
    i += text[i] === "\\" ? 2 : 1;
  }
  return i;
}

/** The offset after the closing slash; after the opening one if the line ends first. */
function endOfRegularExpression(text: string, start: number): number {
  let inClass = false;
  for (let i = start + 1; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) return i + 1;
  }
  return start + 1;
}

/** Every TypeScript and JavaScript file below `root`, by path relative to it with slashes. */
async function readSources(root: string, folder = ""): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const skipped = new Set(["node_modules", "runs", "datasets", ...outside]);
  const entries = await Array.fromAsync(Deno.readDir(posix.join(root, folder)));
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory, isFile } of entries) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory && !name.startsWith("../../commands") && !skipped.has(path)) {
      for (const [inner, text] of await readSources(root, path)) files.set(inner, text);
    } else if (isFile && /\.(m|c)?[tj]sx?$/.test(name)) {
      files.set(path, await Deno.readTextFile(posix.join(root, path)));
    }
  }
  return files;
}

const command = defineCommand({
  name: "layers",
  summary: "Check that every import goes down the ranks of the house.",
  description: "Prints a sentence a violation, and ends with exit code 1 if there is one.",
  options: {},
  examples: [{ args: "", does: "checks the whole project; part of deno task test" }],
});

if (import.meta.main) {
  await runCommand(command, async () => {
    const files = await readSources(fileURLToPath(new URL("../..", import.meta.url)));
    const violations = checkLayers(files);
    for (const violation of violations) console.error(violation);
    if (violations.length > 0) return 1;
    console.log(`Layers: ok, ${files.size} files`);
  });
}
