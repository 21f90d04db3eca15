/**
 * This checkout's benchmarks against another's, in turns: both meet the same machine, whatever else it
 * does meanwhile, which runs kept on another day do not.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../support/errors.ts";
import { formatTable } from "../../support/terminal.ts";

/** Values of one run by case, in the unit of the case. */
export type CaseValues = ReadonlyMap<string, { readonly value: number; readonly unit: string }>;

/** A case of both checkouts over all rounds. */
export interface Pairing {
  readonly case: string;
  readonly unit: string;
  /** Medians. */
  readonly other: number;
  readonly own: number;
  /** How many times faster this checkout is, round by round: median, least and most. */
  readonly faster: number;
  readonly least: number;
  readonly most: number;
}

const OWN = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Runs both checkouts' benchmarks once a round, the one and the other first by turns.
 *
 * @param folder The other checkout.
 * @param args Options of `bench` for both.
 * @param run Runs one checkout's; a child process unless given.
 * @throws {UsageError} When the folder is no checkout with benchmarks.
 * @throws {Error} When a run fails.
 */
export async function measureAgainst(
  folder: string,
  args: readonly string[],
  rounds: number,
  say: (line: string) => void,
  run: (folder: string, args: readonly string[]) => Promise<CaseValues> = runBench,
): Promise<Pairing[]> {
  const pairs: { own: CaseValues; other: CaseValues }[] = [];
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    const first = await run(round % 2 === 0 ? folder : OWN, args);
    const second = await run(round % 2 === 0 ? OWN : folder, args);
    pairs.push(round % 2 === 0 ? { other: first, own: second } : { own: first, other: second });
    // Said round by round, so that a sitting that is cut short is not lost.
    const latest = pairUp(pairs.slice(-1)).map(({ case: name, faster }) =>
      `${name} ${faster.toFixed(2)}`
    );
    say(`times faster: ${latest.join(", ")}`);
  }
  return pairUp(pairs);
}

/** Cases that every run of both has. */
export function pairUp(
  pairs: readonly { readonly own: CaseValues; readonly other: CaseValues }[],
): Pairing[] {
  const [first] = pairs;
  if (!first) return [];
  return [...first.own].flatMap(([name, { unit }]) => {
    const own = pairs.map((pair) => pair.own.get(name)?.value ?? NaN);
    const other = pairs.map((pair) => pair.other.get(name)?.value ?? NaN);
    if (![...own, ...other].every(Number.isFinite)) return [];
    const isRate = unit.startsWith("G");
    const ratios = own.map((value, i) => isRate ? value / other[i]! : other[i]! / value);
    return [{
      case: name,
      unit,
      other: median(other),
      own: median(own),
      faster: median(ratios),
      least: Math.min(...ratios),
      most: Math.max(...ratios),
    }];
  });
}

/** Pairings as a table. */
export function pairingTable(pairings: readonly Pairing[]): string {
  const round = (value: number) => Number(value.toPrecision(4));
  const rows = pairings.map((p) => [
    p.case,
    round(p.other),
    round(p.own),
    p.unit,
    p.faster.toFixed(2),
    `${p.least.toFixed(2)} to ${p.most.toFixed(2)}`,
  ]);
  return formatTable(["case", "other", "this", "unit", "times faster", "by rounds"], rows);
}

async function runBench(folder: string, args: readonly string[]): Promise<CaseValues> {
  // A checkout from before the commands had folders keeps it in the second place.
  const places = ["commands/bench/main.ts", "tools/bench.ts"].map((path) => join(folder, path));
  const script = places.find((path) => existsSync(path));
  if (script === undefined) {
    throw new UsageError(
      `Cannot compare with ${folder}: it must be a checkout that has commands/bench/main.ts`,
    );
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", join(folder, "deno.json"), script, "--json", ...args],
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout);
  // Exit code 1 also says that one case of several was wrong; the others count.
  if (code !== 0 && !text.includes("{")) {
    throw new Error(
      `Cannot measure ${folder}: its benchmarks must run, got ${decoder.decode(stderr).trim()}`,
    );
  }
  return parseLines(text);
}

/** The measurements among JSON lines. */
export function parseLines(text: string): CaseValues {
  const values = new Map<string, { value: number; unit: string }>();
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue;
    const { case: name, value, unit } = JSON.parse(line);
    if (typeof value === "number") values.set(String(name), { value, unit: String(unit) });
  }
  return values;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}
