/**
 * What can be done to the levels of any schedule:
 *
 * - `shift`: noise over signal times s at each level (Hoogeboom, Heek and Salimans 2023, arXiv
 *   2301.11093, equation 3: 64 pixels to d pixels is s = d / 64), with signal^2 + noise^2 as it was
 * - `zeroTerminalSnr`: sqrt(A) shifted and scaled so that the first stays and the last is 0 (Lin et al.
 *   2024, arXiv 2305.08891, algorithm 1)
 *
 * @module
 */
import { type Schedule, scheduleFromLevels, totalPower } from "../schedule.ts";
import type { ModifierSettings } from "./record.ts";

/** The schedule with its levels modified; itself where nothing is to be done. */
export function modified(
  schedule: Schedule,
  { shift, zeroTerminalSnr }: ModifierSettings,
): Schedule {
  if (shift !== 1) schedule = shifted(schedule, shift);
  return zeroTerminalSnr ? withoutTerminalSignal(schedule) : schedule;
}

function shifted({ levels }: Schedule, shift: number): Schedule {
  return scheduleFromLevels(levels.map((level) => {
    const noise = shift * level.noise;
    const scale = Math.sqrt(totalPower(level) / (level.signalPower + noise ** 2));
    return { signal: scale * level.signal, noise: scale * noise };
  }));
}

function withoutTerminalSignal({ levels }: Schedule): Schedule {
  const first = levels[0]!.signal, last = levels.at(-1)!.signal;
  return scheduleFromLevels(levels.map((level, t) => {
    const signal = t === levels.length - 1 ? 0 : (level.signal - last) * first / (first - last);
    return { signal, noise: Math.sqrt(totalPower(level) - signal ** 2) };
  }));
}
