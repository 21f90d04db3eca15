/**
 * As `linear`, in the float32 of torch.linspace, for weights trained by PyTorch code.
 *
 * @module
 */
import { scheduleFromBetas } from "../schedule.ts";
import { torchLinspace } from "../torch_linspace.ts";
import { betasAscend, type ScheduleRecord } from "./record.ts";

/** See the module. */
export const LINEAR_TORCH: ScheduleRecord = {
  description: "linear, rounded as PyTorch does",
  checks: [betasAscend],
  make: ({ timesteps, betaStart, betaEnd }) =>
    scheduleFromBetas(Float64Array.from(torchLinspace(betaStart, betaEnd, timesteps))),
};
