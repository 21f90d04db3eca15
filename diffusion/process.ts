/**
 * The diffusion process of a run: its noise levels, what its network outputs, what its loss counts,
 * and how its reverse steps are. It is made once and handed to everything that trains, samples or
 * looks.
 *
 * @module
 */
import { bandedProcess } from "./banded_process.ts";
import type { Plane } from "./bands.ts";
import { type Process, processOn, type ProcessOptions } from "./process_on.ts";
import { isBanded } from "./processes/registry.ts";
import { makeSchedule } from "./schedules/registry.ts";

export {
  type Banded,
  type Process,
  processOn,
  type ProcessOptions,
  type Steering,
} from "./process_on.ts";

/**
 * The process of the options.
 *
 * @param plane Sides of what it works on; needed where it differs by frequency.
 * @throws {RangeError} if the schedule's options break their rules, it ends without signal and the target
 *   needs some, or a frequency does not get noisier from step to step
 * @throws {TypeError} if it differs by frequency and there is no plane
 */
export function makeProcess(options: ProcessOptions, plane?: Plane): Process {
  const schedule = makeSchedule(options);
  if (!isBanded(options.process)) return processOn(schedule, options);
  if (plane) return bandedProcess(schedule, options, plane);
  throw new TypeError(
    `Cannot make process ${options.process}: its frequencies are those of a plane, which must be given`,
  );
}
