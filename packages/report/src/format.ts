import type { Limit, Unit } from "./report.ts";

/** What stands for a value that is not there. */
export const noData = "no data";

/** Three significant digits, and no more than the size of a number asks for. */
function short(value: number): string {
  const size = Math.abs(value);
  const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const rounded = Number(size >= 1 || size === 0 ? value.toFixed(digits) : value.toPrecision(2));
  return rounded.toLocaleString("en-US", { maximumFractionDigits: 6 });
}

/** A value with its unit, as a person reads it. */
export function formatValue(value: number | null | undefined, unit: Unit = "count"): string {
  if (value === null || value === undefined) return noData;
  if (!Number.isFinite(value)) return String(value);
  switch (unit) {
    case "ratio":
      return `${short(value * 100)} %`;
    case "seconds":
      return value !== 0 && Math.abs(value) < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`;
    case "perSecond":
      return `${short(value)}/s`;
    case "bytes": {
      const power = Math.min(4, Math.floor(Math.log2(Math.max(1, Math.abs(value))) / 10));
      return `${short(value / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
    }
    case "count":
      return short(value);
    default:
      return unit satisfies never;
  }
}

/** "at most 5 %" */
export function formatLimit(limit: Limit, unit?: Unit): string {
  const parts: string[] = [];
  if (limit.min !== undefined) parts.push(`at least ${formatValue(limit.min, unit)}`);
  if (limit.max !== undefined) parts.push(`at most ${formatValue(limit.max, unit)}`);
  return parts.join(", ");
}

/** "8.4 s", "2 min 5 s", "1 h 3 min" */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${short(Math.round(seconds * 10) / 10)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (hours > 0) return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
  return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`;
}

/** "14:02:10", in UTC. What is no time stays as it is. */
export function formatTime(at: string | number): string {
  const moment = new Date(typeof at === "number" ? at * 1000 : at);
  return Number.isNaN(moment.getTime()) ? String(at) : moment.toISOString().slice(11, 19);
}

/** "21 Nov 2026", in UTC. */
export function formatDate(at: string): string {
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return at;
  return moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

/** "+2:05": since the operation started. */
export function formatOffset(at: string, startedAt: string): string {
  const seconds = Math.round((Date.parse(at) - Date.parse(startedAt)) / 1000);
  if (Number.isNaN(seconds)) return "";
  const size = Math.abs(seconds);
  const minutes = Math.floor(size / 60);
  const clock = minutes < 60 ? `${minutes}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
  return `${seconds < 0 ? "−" : "+"}${clock}:${String(size % 60).padStart(2, "0")}`;
}
