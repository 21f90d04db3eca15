/**
 * What an examination of a machine finds, and how it is told.
 *
 * @module
 */
import { styled } from "../../support/terminal.ts";

/** Parts of an examination, in the order in which they are told. */
export const AREAS = ["runtime", "vulkan", "gpu", "training", "configs", "storage"] as const;

/** A part of an examination. */
export type Area = typeof AREAS[number];

/**
 * `ok` works, `note` is good to know, `warn` limits something, `fail` keeps training from working.
 */
export type Status = "ok" | "note" | "warn" | "fail";

/** One thing that was looked at. */
export interface Finding {
  readonly area: Area;
  /** What was looked at, as in "adapter". */
  readonly name: string;
  readonly status: Status;
  /** What was found, one line. */
  readonly text: string;
  /** What to do about it, one line. */
  readonly remedy?: string;
  /** The numbers, for programs. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Whether training works: nothing keeps it from working, and it has been tried. */
export function trainingWorks(findings: readonly Finding[]): boolean {
  return findings.every(({ status }) => status !== "fail") &&
    findings.some(({ area, status }) => area === "training" && status === "ok");
}

const COLOURS = { ok: "green", note: "dim", warn: "yellow", fail: "red" } as const;
const TITLES: Readonly<Record<Area, string>> = {
  runtime: "Runtime",
  vulkan: "Vulkan",
  gpu: "GPU",
  training: "Training",
  configs: "Configs",
  storage: "Disk and data",
};

/** The lines of an area, its title first; none when nothing was found there. */
export function formatArea(area: Area, findings: readonly Finding[]): string[] {
  const own = findings.filter((finding) => finding.area === area);
  if (own.length === 0) return [];
  const width = Math.max(...own.map(({ name }) => name.length));
  const lines = own.flatMap(({ status, name, text, remedy }) => [
    `  ${styled(COLOURS[status], status.padEnd(4))}  ${name.padEnd(width)}  ${text}`,
    ...(remedy === undefined ? [] : [`  ${"".padEnd(width + 6)}  fix: ${remedy}`]),
  ]);
  return [styled("bold", TITLES[area]), ...lines];
}

/** The last line: whether training works, and if not, what to do first. */
export function formatVerdict(findings: readonly Finding[]): string {
  if (trainingWorks(findings)) {
    const warnings = findings.filter(({ status }) => status === "warn").length;
    return warnings === 0
      ? "Training works here"
      : `Training works here; ${warnings} ${warnings === 1 ? "thing" : "things"} to know above`;
  }
  const first = findings.find(({ status }) => status === "fail");
  if (!first) return "Training was not tried";
  const remedy = first.remedy === undefined ? "" : `; first: ${first.remedy}`;
  return `Training does not work here: ${first.name}${remedy}`;
}
