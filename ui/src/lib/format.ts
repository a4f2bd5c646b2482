/** Numbers, sizes, spans of time and moments as people read them. Pure. */

const COUNT = new Intl.NumberFormat("en");

/** 1234567 → "1,234,567". */
export const count = (value: number): string => COUNT.format(value);

/** 1234567 → "1.23M", for narrow places. */
export function shortCount(value: number): string {
  if (Math.abs(value) < 10_000) return count(value);
  return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value);
}

/** Bytes in powers of 1024: 1536 → "1.5 KiB". */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let rest = value;
  let unit = 0;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}

/** A span in seconds: 0.0042 → "4.2 ms", 75 → "1 min 15 s", 90000 → "1 d 1 h". */
export function span(seconds: number): string {
  const value = Math.abs(seconds);
  if (value === 0) return "0 s";
  if (value < 0.001) return `${Math.max(1, Math.round(value * 1e6))} µs`;
  if (value < 1) return `${Number((value * 1000).toPrecision(2))} ms`;
  if (value < 60) return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} s`;
  if (value < 3600) return pair(value, 60, "min", 1, "s");
  if (value < 86_400) return pair(value, 3600, "h", 60, "min");
  return pair(value, 86_400, "d", 3600, "h");
}

function pair(value: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  let whole = Math.floor(value / large);
  let rest = Math.round((value - whole * large) / small);
  if (rest * small >= large) {
    whole += 1;
    rest = 0;
  }
  return rest ? `${whole} ${largeUnit} ${rest} ${smallUnit}` : `${whole} ${largeUnit}`;
}

/** A rate: 0.02 → "1.2/min", 12.34 → "12.3/s"; "–" where it is not known. */
export function rate(perSecond: number | null): string {
  if (perSecond === null) return "–";
  if (perSecond === 0) return "0/s";
  if (perSecond >= 1) return `${perSecond >= 100 ? shortCount(Math.round(perSecond)) : Number(perSecond.toFixed(1))}/s`;
  if (perSecond * 60 >= 1) return `${Number((perSecond * 60).toFixed(1))}/min`;
  return `${Number((perSecond * 3600).toPrecision(2))}/h`;
}

/** A share of one: 0.0123 → "1.23 %". */
export const percent = (share: number): string => `${Number((share * 100).toFixed(2))} %`;

/** *moment* seen from *now*, both in milliseconds: "in 3 min", "5 s ago", "now". In one unit: the full moment is near. */
export function relative(moment: number, now: number): string {
  const seconds = Math.abs(moment - now) / 1000;
  if (seconds < 1) return "now";
  const units = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ] as const;
  // "90 min" tells more than "1 h".
  const [size, unit] = units.find(([each]) => seconds >= (each === 1 ? 1 : 2 * each)) ?? [1, "s"];
  const text = `${Math.floor(seconds / size)} ${unit}`;
  return moment > now ? `in ${text}` : `${text} ago`;
}

const inFull = (timeZone?: string) =>
  new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone });
const ofZone: Partial<Record<"local" | "utc", Intl.DateTimeFormat>> = {};

/** A moment in full, "2026-11-24 13:05:09", by the clock of *zone*. */
export function absolute(moment: Date, zone: "local" | "utc"): string {
  ofZone[zone] ??= inFull(zone === "utc" ? "UTC" : undefined);
  const parts = ofZone[zone].format(moment);
  return zone === "utc" ? `${parts} UTC` : parts;
}
