/** What can be said of periodic tasks. Pure. */
import type { SchedulerEntry } from "~/api/client";
import { span } from "~/lib/format";

/** A spec without its time zone, and the zone. */
export function specAndZone(spec: string): { spec: string; zone?: string } {
  const found = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(spec);
  return found ? { spec: found[2] ?? "", zone: found[1] } : { spec };
}

/** What a short spec means, where that can be said in a few words. */
export function meaning(spec: string): string | undefined {
  const plain = specAndZone(spec).spec.trim();
  const every = /^@every\s+(.+)$/.exec(plain)?.[1];
  if (every) {
    const seconds = duration(every);
    return seconds === undefined ? undefined : `every ${span(seconds)}`;
  }
  const named: Record<string, string> = {
    "@yearly": "each year, on January 1 at 00:00",
    "@annually": "each year, on January 1 at 00:00",
    "@monthly": "each month, on day 1 at 00:00",
    "@weekly": "each week, on Sunday at 00:00",
    "@daily": "each day at 00:00",
    "@midnight": "each day at 00:00",
    "@hourly": "each hour at :00",
  };
  if (named[plain]) return named[plain];
  const [minute = "", hour = "", day, month, weekday, rest] = plain.split(/\s+/);
  if (rest !== undefined || day !== "*" || month !== "*") return undefined;
  const step = /^\*\/(\d+)$/;
  if (weekday === "*" && hour === "*") {
    if (minute === "*") return "every minute";
    const n = step.exec(minute)?.[1];
    if (n) return 60 % Number(n) === 0 ? `every ${n} min` : undefined;
    if (/^\d+$/.test(minute)) return `each hour at :${minute.padStart(2, "0")}`;
    return undefined;
  }
  if (!/^\d+$/.test(minute)) return undefined;
  const hours = step.exec(hour)?.[1];
  if (weekday === "*" && hours && minute === "0" && 24 % Number(hours) === 0) return `every ${hours} h`;
  if (!/^\d+$/.test(hour)) return undefined;
  const at = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (weekday === "*") return `each day at ${at}`;
  if (weekday === "1-5" || weekday?.toUpperCase() === "MON-FRI") return `Monday to Friday at ${at}`;
  const named_ = weekday && /^[0-6]$/.test(weekday) ? DAYS[Number(weekday)] : undefined;
  return named_ && `each ${named_} at ${at}`;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const UNITS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 0.001 };

/** Seconds of a duration as Go writes it: "1h30m". */
function duration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)) {
    seconds += Number(number) * (UNITS[unit ?? ""] ?? 0);
  }
  return seconds;
}

/** Due so long ago that its scheduler would have told; by the clock of the browser, so with a wide margin. */
const SURELY_MISSED_MS = 60_000;

export const isMissed = (entry: SchedulerEntry, now: number): boolean =>
  entry.is_missed ||
  (entry.next_enqueue_at != null && now - new Date(entry.next_enqueue_at).getTime() > SURELY_MISSED_MS);

/** The next moments at which it is due, where the server tells them. */
export const nextRuns = (entry: SchedulerEntry): string[] => entry.next_runs;

/** An entry, and how many living schedulers know it. */
export interface Shared {
  entry: SchedulerEntry;
  schedulers: number;
  /** Whether another entry is like it, and both enqueue. */
  isTwice: boolean;
}

/** Entries by their ids: schedulers of Python give the same to what is the same, and then each tick is enqueued once. */
export function shared(entries: readonly SchedulerEntry[]): Shared[] {
  const byId = new Map<string, SchedulerEntry[]>();
  const byKind = new Map<string, SchedulerEntry[]>();
  for (const entry of entries) {
    byId.set(entry.id, [...(byId.get(entry.id) ?? []), entry]);
    byKind.set(kindOf(entry), [...(byKind.get(kindOf(entry)) ?? []), entry]);
  }
  return [...byId.values()].flatMap((same) => {
    const [entry] = listed(same, {});
    if (!entry) return [];
    const alike = byKind.get(kindOf(entry)) ?? [];
    // Seen from all entries together: the stream tells of each by itself. Payloads that are hidden all look alike.
    const isTwice =
      alike.some((each) => each.id !== entry.id) && (entry.payload.kind !== "hidden" || entry.is_duplicate);
    return [{ entry, schedulers: same.length, isTwice }];
  });
}

const kindOf = (entry: SchedulerEntry): string =>
  [entry.spec, entry.type, entry.payload.text, ...entry.options].join("\0");

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const ORDERS: Readonly<Record<string, (a: SchedulerEntry, b: SchedulerEntry) => number>> = {
  spec: (a, b) => compare(a.spec, b.spec),
  type: (a, b) => compare(a.type, b.type),
  queue: (a, b) => compare(a.queue, b.queue),
  next: (a, b) => compare(a.next_enqueue_at ?? "9", b.next_enqueue_at ?? "9"),
  previous: (a, b) => compare(a.previous_enqueue_at ?? "", b.previous_enqueue_at ?? ""),
};

/** Those that *name* fits, in order; equal ones by type. */
export function listed(
  entries: readonly SchedulerEntry[],
  { name = "", sort = "next", descending = false }: { name?: string; sort?: string; descending?: boolean },
): SchedulerEntry[] {
  const word = name.toLowerCase();
  const order = ORDERS[sort] ?? ORDERS.next;
  return entries
    .filter(
      (entry) =>
        !word || [entry.type, entry.spec, entry.queue, entry.id].some((text) => text.toLowerCase().includes(word)),
    )
    .sort(
      (a, b) =>
        (descending ? -1 : 1) * (order?.(a, b) ?? 0) ||
        compare(a.type, b.type) ||
        compare(a.scheduler + a.id, b.scheduler + b.id),
    );
}
