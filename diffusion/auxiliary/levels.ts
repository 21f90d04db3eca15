/**
 * How a loss in the clean image counts at each noise level. An error of the predicted clean image is
 * noise / signal times that of the noise, so near pure noise it is large whatever is done. A loss of
 * degree p (1 for absolute values, 2 for squares) is multiplied by
 *
 *     noise  (signal / noise)^p, so that levels count as in a loss of the noise; ours
 *     image  1: Chandran et al. 2026 (arXiv 2603.02447, section 5.2), "unweighted"
 *     loss   what the main loss multiplies the square of the clean image's error by: "weighted" there,
 *            where it is lambda of Karras et al. 2022 (arXiv 2206.00364)
 *
 * @module
 */
import type { Process } from "../process.ts";
import type { SharedSettings } from "./record.ts";

/** The factor of each row of the schedule. */
export function levelFactors(
  { schedule, tables }: Process,
  levels: SharedSettings["levels"],
  degree: 1 | 2,
): Float64Array {
  switch (levels) {
    case "image":
      return schedule.sqrtAlphasCumprod.map(() => 1);
    case "noise":
      return schedule.sqrtAlphasCumprod.map((signal, t) =>
        (signal / schedule.sqrtOneMinusAlphasCumprod[t]!) ** degree
      );
    case "loss": {
      const compared = tables.loss?.prediction.output;
      return tables.toX0.output.map((share, t) =>
        (tables.weight?.[t] ?? 1) * ((compared?.[t] ?? 1) / share) ** 2
      );
    }
  }
}
