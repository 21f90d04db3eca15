/// <reference lib="dom" />
/**
 * What a person has chosen; kept by the browser where it lets us.
 *
 * @module
 */

/** Choices. */
export interface Settings {
  /** How much curves are smoothed, 0 to 1. */
  smoothing: number;
  logSteps: boolean;
  logValues: boolean;
  /** Whether runs that differ in their seed alone are one line. */
  grouped: boolean;
  theme: "auto" | "light" | "dark";
}

const KEY = "diffract-dashboard";

const DEFAULTS: Settings = {
  smoothing: 0.5,
  logSteps: false,
  logValues: true,
  grouped: true,
  theme: "auto",
};

/** What was chosen last. */
export function loadSettings(): Settings {
  const settings = { ...DEFAULTS };
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    for (const key of Object.keys(DEFAULTS) as (keyof Settings)[]) {
      if (typeof saved?.[key] === typeof DEFAULTS[key]) {
        Object.assign(settings, { [key]: saved[key] });
      }
    }
  } catch {
    // Storage may be forbidden, or hold anything.
  }
  settings.smoothing = Math.min(1, Math.max(0, settings.smoothing));
  return settings;
}

/** Keeps choices for the next time. */
export function saveSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Then they last as long as the page.
  }
}
