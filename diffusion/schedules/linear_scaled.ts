/**
 * As `linear`, with betas times 1000 / T, so that few timesteps end with as much noise as a thousand do
 * (Nichol and Dhariwal 2021, arXiv 2102.09672, official code).
 *
 * @module
 */
import { scheduleFromBetas } from "../schedule.ts";
import type { Check } from "../../support/options.ts";
import { betasAscend, evenly, type ScheduleRecord, type ScheduleSettings } from "./record.ts";

/** Timesteps that betaStart and betaEnd are meant for. */
const MEANT_FOR = 1000;

const betasStayBelow1: Check<ScheduleSettings> = ({ timesteps, betaEnd }, at) =>
  betaEnd * MEANT_FOR < timesteps ? null : {
    key: "timesteps",
    rule: `be above ${betaEnd * MEANT_FOR}, for betas below 1: ${at("betaEnd")} times 1000 / T`,
  };

/** See the module. */
export const LINEAR_SCALED: ScheduleRecord = {
  description: "linear, with betas times 1000 / T",
  checks: [betasAscend, betasStayBelow1],
  make({ timesteps, betaStart, betaEnd }) {
    const scale = MEANT_FOR / timesteps;
    return scheduleFromBetas(evenly(scale * betaStart, scale * betaEnd, timesteps));
  },
};
