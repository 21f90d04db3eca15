/**
 * The data sets that are on this machine. Nothing is fetched and nothing is read but names.
 *
 * @module
 */
import { datasetCache } from "../../data/fetching/cache.ts";
import { CATALOGUE, placeOf, waysTo } from "../../data/catalogue.ts";
import type { Finding } from "./finding.ts";

/** The set of the quickstart, which is told even where it is not here. */
const QUICKSTART_SET = "fashion-mnist";

/** Where the sets are that are here, and how the others come. */
export async function examineDataSets(cache: string = datasetCache()): Promise<Finding[]> {
  const findings: Finding[] = [], absent: string[] = [];
  for (const [name, files] of CATALOGUE) {
    const place = await placeOf(files, "train", cache);
    const found = { area: "storage", name, data: { place } } as const;
    if (place !== null) findings.push({ ...found, status: "ok", text: place });
    else absent.push(name);
    if (place !== null || name !== QUICKSTART_SET) continue;
    const text = `not here; the quickstart fetches it: ${waysTo(files)}`;
    findings.push({ ...found, status: "note", text });
  }
  const others = absent.filter((name) => name !== QUICKSTART_SET);
  if (others.length === 0) return findings;
  return [...findings, {
    ...{ area: "storage", name: "other sets", status: "note", data: { absent: others } },
    text: `${others.length} are fetched when a run wants them; deno task data lists them`,
  }];
}
