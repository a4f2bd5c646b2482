/** Rates as rows of tables and lines of charts, and as files. Pure. */
import { shortCount } from "~/lib/format";
import type { Percentiles, Rates } from "~/pages/queue/parts/rates";

type Cell = string | number | null;

interface Ended {
  succeeded: number;
  failed: number;
}

const errorRate = ({ succeeded, failed }: Ended): number | null =>
  succeeded + failed > 0 ? failed / (succeeded + failed) : null;

const quantiles = (waited: Percentiles, ran: Percentiles) => ({
  waited_p50: waited.p50,
  waited_p90: waited.p90,
  waited_p99: waited.p99,
  ran_p50: ran.p50,
  ran_p90: ran.p90,
  ran_p99: ran.p99,
});

const NOTHING: Percentiles = { p50: null, p90: null, p99: null };

/** What all patterns of a queue did together. */
export const ended = (rates: Rates): Ended => ({
  succeeded: rates.patterns.reduce((sum, each) => sum + each.succeeded, 0),
  failed: rates.patterns.reduce((sum, each) => sum + each.failed, 0),
});

/** Spans and rates in seconds and a second; null where nothing is known. */
export const queueRow = (rates: Rates) => ({
  queue: rates.queue,
  arrivals: rates.arrivals_per_second,
  starts: rates.starts_per_second,
  services: rates.services_per_second,
  failed: ended(rates).failed,
  error_rate: errorRate(ended(rates)),
  depth: rates.depth,
  to_empty: rates.seconds_to_empty,
  ...quantiles(rates.waited, rates.ran),
});

export const typeRows = (all: readonly Rates[]) =>
  all.flatMap((rates) =>
    rates.patterns.map((each) => ({
      queue: rates.queue,
      type: each.pattern,
      started: each.started,
      succeeded: each.succeeded,
      failed: each.failed,
      error_rate: errorRate(each),
      ...quantiles(each.waited, each.ran),
    })),
  );

/** One row for each minute of each queue, the minute that is still going on included. */
export const minuteRows = (all: readonly Rates[]) =>
  all.flatMap((rates) =>
    rates.points.map(({ waited, ran, ...counts }) => ({
      queue: rates.queue,
      ...counts,
      ...quantiles(waited ?? NOTHING, ran ?? NOTHING),
    })),
  );

/** *rows* by one of their columns; what is not known comes last either way. */
export function sorted<R extends Readonly<Record<string, Cell>>>(
  rows: readonly R[],
  sort: string | undefined,
  descending: boolean | undefined,
): R[] {
  if (sort === undefined) return [...rows];
  const direction = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [a[sort], b[sort]];
    if (left === right || (left === undefined && right === undefined)) return 0;
    if (left === null || left === undefined) return 1;
    if (right === null || right === undefined) return -1;
    return (left < right ? -1 : 1) * direction;
  });
}

export interface Series {
  /** Seconds since 1970. */
  times: number[];
  /** By queue, one value a moment. */
  lines: Readonly<Record<string, (number | null)[]>>;
}

export type Measure =
  | "throughput"
  | "failures"
  | "error_rate"
  | "depth"
  | "waited_p50"
  | "waited_p99"
  | "ran_p50"
  | "ran_p99";

type Point = Rates["points"][number];
const VALUE: Readonly<Record<Measure, (point: Point) => number | null>> = {
  throughput: (point) => (point.succeeded + point.failed) / 60,
  failures: (point) => point.failed,
  error_rate: errorRate,
  depth: (point) => point.depth,
  waited_p50: (point) => point.waited?.p50 ?? null,
  waited_p99: (point) => point.waited?.p99 ?? null,
  ran_p50: (point) => point.ran?.p50 ?? null,
  ran_p99: (point) => point.ran?.p99 ?? null,
};

/** One line a queue, from the minute in which something was written first: nobody knows what was before. The last minute is still going on: only how many are pending is known of it. */
export function series(all: readonly Rates[], measure: Measure): Series {
  const minutes = [...new Set(all.flatMap((rates) => rates.points.map((point) => point.minute)))].sort();
  const last = minutes.at(-1);
  const lines = Object.fromEntries(
    all.map((rates) => {
      const since = rates.points.find((point) => point.depth !== null)?.minute;
      const known = new Map(rates.points.map((point) => [point.minute, point]));
      return [
        rates.queue,
        minutes.map((minute) => {
          const point = known.get(minute);
          return point && since !== undefined && minute >= since && (measure === "depth" || minute !== last)
            ? VALUE[measure](point)
            : null;
        }),
      ];
    }),
  );
  return { times: minutes.map((minute) => Date.parse(minute) / 1000), lines };
}

/** Writes rates a second in one unit, the one that suits the highest of them: ticks of an axis are to be compared. */
export function rateFormat(lines: Series["lines"]): (perSecond: number) => string {
  let highest = 0;
  for (const values of Object.values(lines)) for (const value of values) highest = Math.max(highest, value ?? 0);
  const [times, unit] = highest >= 1 || highest === 0 ? [1, "s"] : highest * 60 >= 1 ? [60, "min"] : [3600, "h"];
  return (perSecond) => {
    const value = perSecond * times;
    return `${value >= 1000 ? shortCount(Math.round(value)) : Number(value.toPrecision(3))}/${unit}`;
  };
}

/** A table as CSV (RFC 4180). A text that a spreadsheet would run as a formula is made a text. */
export function csv(rows: readonly Readonly<Record<string, Cell>>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const word = (cell: Cell | undefined): string => {
    if (cell === null || cell === undefined) return "";
    if (typeof cell === "number") return String(cell);
    const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names.join(","), ...rows.map((row) => names.map((name) => word(row[name])).join(","))]
    .map((line) => `${line}\r\n`)
    .join("");
}

/** The queues that did most, the larger first among equals. */
export const busiest = (
  queues: readonly { queue: string; processed_today: number; size: number }[],
  most: number,
): string[] =>
  [...queues]
    .sort((a, b) => b.processed_today - a.processed_today || b.size - a.size || (a.queue < b.queue ? -1 : 1))
    .slice(0, most)
    .map((queue) => queue.queue);
