/**
 * Notebooks are written as TypeScript, so that they are formatted, linted and type-checked like all
 * else. A line `// %%` begins a cell, `// %% [markdown]` one of text, whose lines are comments, and
 * `// %% parameters` the cell of sizes that others may replace. Jupytext calls this the percent format.
 *
 * @module
 */

/** A cell, without what it gave. */
export interface Cell {
  readonly kind: "code" | "markdown";
  readonly tags: readonly string[];
  readonly text: string;
}

/**
 * The cells of a file in the percent format; what comes before the first is for readers of the file.
 *
 * @throws {SyntaxError} For a line of text that is no comment.
 */
export function cellsOf(source: string): Cell[] {
  const [, ...parts] = source.split(/^\/\/ %%/m);
  return parts.map((part) => {
    const [head = "", ...lines] = part.split("\n");
    const kind = head.includes("[markdown]") ? "markdown" : "code";
    const tags = kind === "markdown" ? [] : head.split(/\s+/).filter((tag) => tag !== "");
    const body = kind === "markdown" ? lines.map(uncommented) : lines;
    return { kind, tags, text: body.join("\n").trim() };
  });
}

function uncommented(line: string): string {
  if (line === "" || line === "//") return "";
  if (line.startsWith("// ")) return line.slice(3);
  throw new SyntaxError(`Cannot read a cell of text: each line must begin with "// ", got ${line}`);
}

/** An output of a cell, as nbformat 4 has it. */
export type Output = Readonly<Record<string, unknown>>;

/** The parts of a notebook file that matter here. */
export interface Notebook {
  readonly cells: readonly {
    readonly cell_type: string;
    readonly source: string | readonly string[];
    readonly outputs?: readonly Output[];
  }[];
}

/** The text of a cell of a notebook file. */
export function textOf({ source }: Notebook["cells"][number]): string {
  return typeof source === "string" ? source : source.join("");
}

/**
 * A notebook file, nbformat 4.5, for Deno's kernel.
 *
 * @param before An earlier file: cells of code keep its outputs, where no cell of code has changed.
 */
export function notebookText(cells: readonly Cell[], before: Notebook = { cells: [] }): string {
  const old = before.cells.filter(({ cell_type }) => cell_type === "code");
  const code = cells.filter(({ kind }) => kind === "code");
  const kept = old.length === code.length && old.every((cell, i) => textOf(cell) === code[i]!.text);
  let ran = 0;
  const written = cells.map(({ kind, tags, text }, i) => {
    const common = { cell_type: kind, id: `cell-${i}`, metadata: tags.length > 0 ? { tags } : {} };
    const source = text.split(/(?<=\n)/);
    if (kind === "markdown") return { ...common, source };
    const outputs = kept ? (old[ran]!.outputs ?? []).map(settled) : [];
    const execution_count = kept ? ++ran : null;
    return { ...common, source, execution_count, outputs };
  });
  const metadata = {
    kernelspec: { display_name: "Deno", language: "typescript", name: "deno" },
    language_info: { name: "typescript", file_extension: ".ts" },
  };
  return `${
    JSON.stringify({ cells: written, metadata, nbformat: 4, nbformat_minor: 5 }, null, 1)
  }\n`;
}

/** An output without colours of a terminal, and numbered as its cell is. */
function settled(output: Output): Output {
  const { execution_count: _, text, ...rest } = output;
  // deno-lint-ignore no-control-regex
  const plain = (line: unknown) => String(line).replaceAll(/\x1b\[[0-9;]*m/g, "");
  return {
    ...rest,
    ...text === undefined ? {} : { text: [text].flat().map(plain) },
    ...rest.output_type === "execute_result" ? { execution_count: null } : {},
  };
}
