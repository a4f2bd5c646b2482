/** Windows of time and their ends, as people write them. Pure. */

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
export const DURATIONS = [3600, 21_600, 86_400, 8 * 86_400, 30 * 86_400] as const;
/** What the server takes. */
export const SHORTEST = 60;
export const LONGEST = 400 * 86_400;

export const within = (seconds: number): number => Math.min(Math.max(Math.round(seconds), SHORTEST), LONGEST);

/** "90m", "1h30m", "2 d" in seconds; undefined when it is nothing like that, or too short or too long. */
export function parseDuration(text: string): number | undefined {
  const plain = text.replaceAll(/\s/g, "").toLowerCase();
  if (!/^(\d+(\.\d+)?[smhdw])+$/.test(plain)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of plain.matchAll(/(\d+(?:\.\d+)?)([smhdw])/g)) {
    seconds += Number(number) * (UNITS[unit as string] as number);
  }
  return seconds >= SHORTEST && seconds <= LONGEST ? Math.round(seconds) : undefined;
}

/** 5400 → "1 h 30 min", as long as it has to be. */
export function durationText(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.round(seconds);
  for (const [size, unit] of [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ] as const) {
    const whole = Math.floor(rest / size);
    if (whole > 0) parts.push(`${whole} ${unit}`);
    rest -= whole * size;
  }
  return parts.join(" ");
}

/** Where a window ends after it was moved; undefined is now, which it cannot pass. */
export function moved(end: number | undefined, by: number, now: number): number | undefined {
  const then = (end ?? Math.floor(now)) + by;
  return then >= now ? undefined : then;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A moment to be changed by hand: "2026-11-24 14:05", by the clock of *zone*. */
export function fieldOf(seconds: number, zone: "local" | "utc"): string {
  const at = new Date(seconds * 1000);
  if (zone === "utc") return at.toISOString().slice(0, 16).replace("T", " ");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** The moment that such a text names; undefined when it names none. */
export function momentOf(field: string, zone: "local" | "utc"): number | undefined {
  const parts = /^\s*(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(:\d\d)?)\s*$/.exec(field);
  if (!parts) return undefined;
  const at = Date.parse(`${parts[1]}T${parts[2]}${zone === "utc" ? "Z" : ""}`);
  return Number.isNaN(at) ? undefined : Math.floor(at / 1000);
}
