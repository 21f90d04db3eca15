/**
 * Numbers, durations and times as text of an even width.
 *
 * @module
 */

/** A whole number for a person: "60,000". */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** A measured value: four digits, "0.04713", "1,234", "3.10e-5". */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-4 || size >= 1e7) return minus(value.toExponential(2).replace("e+", "e"));
  if (size >= 1000) return minus(formatCount(value));
  const digits = Math.max(0, 3 - Math.floor(Math.log10(size)));
  return minus(value.toFixed(Math.min(digits, 6)));
}

/** Seconds: "45s", "3m 05s", "2h 07m", "3d 04h". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 86400)}d ${two(Math.floor(whole / 3600) % 24)}h`;
}

/** The time of day, with the date where it is another day than `now`; both ms since 1970. */
export function formatClock(time: number, now: number): string {
  const then = new Date(time), today = new Date(now);
  const clock = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (then.toDateString() === today.toDateString()) return clock;
  return `${then.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${clock}`;
}

/** A value of a config: short, as JSON. */
export function formatSetting(value: unknown): string {
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value)?.replaceAll(",", ", ") ?? "–";
}

/** "frechetDistance" as words: "Frechet distance". */
export function formatName(name: string): string {
  const words = name.replaceAll(/([a-z\d])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`)
    .replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function minus(text: string): string {
  return text.replaceAll("-", "−");
}
