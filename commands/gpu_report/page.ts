/**
 * The report as a page of Markdown.
 *
 * @module
 */
import type { PartResult } from "./run_part.ts";
import { markdownTable } from "./parts.ts";

/** What all of the report is about. */
export interface ReportFacts {
  readonly adapter: string;
  /** When it was begun, ISO 8601. */
  readonly date: string;
  /** Versions of Deno and of the system. */
  readonly runtime: string;
}

/** The page. */
export function reportPage(
  { adapter, date, runtime }: ReportFacts,
  parts: readonly PartResult[],
): string {
  const rows = parts.map((
    { title, status, seconds },
  ) => [title, status, `${seconds.toFixed(0)} s`]);
  return [
    `# ${adapter}`,
    `${date.slice(0, 10)}, ${runtime}. Made by \`deno task gpu-report\`.`,
    markdownTable(["part", "", "took"], rows),
    ...parts.flatMap(({ title, command, text }) => [`## ${title}`, `\`${command}\``, text]),
  ].filter((text) => text !== "").join("\n\n") + "\n";
}
