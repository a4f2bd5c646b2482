import { describe, expect, it } from "vitest";
import type { Rates } from "~/pages/queue/parts/rates";
import { busiest, csv, minuteRows, queueRow, rateFormat, series, sorted, typeRows } from "./rows";

const none = { p50: null, p90: null, p99: null };
const rates = (queue: string, points: [string, number, number, number | null][]): Rates => ({
  queue,
  minutes: 2,
  observed_seconds: 90,
  depth: 4,
  arrivals_per_second: null,
  starts_per_second: 1,
  services_per_second: 2,
  seconds_to_empty: null,
  waited: { p50: 1, p90: 2, p99: 3 },
  ran: none,
  patterns: [
    { pattern: "a", started: 4, succeeded: 3, failed: 1, waited: none, ran: none },
    { pattern: "b", started: 1, succeeded: 0, failed: 0, waited: none, ran: none },
  ],
  points: points.map(([minute, succeeded, failed, depth]) => ({
    minute,
    started: 0,
    succeeded,
    failed,
    depth,
    waited: { p50: 0.5, p90: 1, p99: 2 },
    ran: null,
  })),
});
const LOW = rates("low", [
  ["2026-01-01T00:00:00Z", 90, 30, 7],
  ["2026-01-01T00:01:00Z", 1, 1, 8],
]);

describe("rows", () => {
  it("have error rates where something ended", () => {
    expect(queueRow(LOW)).toMatchObject({ queue: "low", failed: 1, error_rate: 0.25, waited_p99: 3, to_empty: null });
    expect(typeRows([LOW]).map((row) => row.error_rate)).toEqual([0.25, null]);
  });

  it("are sorted by any column, the unknown last", () => {
    const rows = [{ n: 1 }, { n: null }, { n: 3 }];
    expect(sorted(rows, "n", true)).toEqual([{ n: 3 }, { n: 1 }, { n: null }]);
    expect(sorted(rows, "n", false)).toEqual([{ n: 1 }, { n: 3 }, { n: null }]);
    expect(sorted(rows, "nothing", true)).toEqual(rows);
  });
});

describe("series", () => {
  it("leaves out the minute that goes on, but for the depth", () => {
    expect(series([LOW], "throughput").lines.low).toEqual([2, null]);
    expect(series([LOW], "error_rate").lines.low).toEqual([0.25, null]);
    expect(series([LOW], "depth").lines.low).toEqual([7, 8]);
    expect(series([LOW], "waited_p99").lines.low).toEqual([2, null]);
    expect(series([LOW], "ran_p50").lines.low).toEqual([null, null]);
    expect(minuteRows([LOW])[0]).toMatchObject({ queue: "low", succeeded: 90, waited_p50: 0.5, ran_p50: null });
  });

  it("does not take the time before a server wrote for one without work", () => {
    const young = rates("young", [
      ["2026-01-01T00:00:00Z", 0, 0, null],
      ["2026-01-01T00:01:00Z", 60, 0, 3],
      ["2026-01-01T00:02:00Z", 0, 0, null],
      ["2026-01-01T00:03:00Z", 0, 0, 3],
    ]);
    expect(series([young], "throughput").lines.young).toEqual([null, 1, 0, null]);
  });

  it("has rates in one unit, which suits the highest", () => {
    expect([0, 0.5, 2].map(rateFormat({ a: [0, null, 2] }))).toEqual(["0/s", "0.5/s", "2/s"]);
    expect([0.25, 0.5].map(rateFormat({ a: [0.5], b: [0.1] }))).toEqual(["15/min", "30/min"]);
    expect([0.01].map(rateFormat({ a: [0.01] }))).toEqual(["36/h"]);
    expect([0].map(rateFormat({}))).toEqual(["0/s"]);
    expect([12_345].map(rateFormat({ a: [12_345] }))).toEqual(["12.3K/s"]);
  });

  it("lines up queues that were read in different minutes", () => {
    const late = rates("late", [["2026-01-01T00:02:00Z", 60, 0, 1]]);
    const { times, lines } = series([LOW, late], "depth");
    expect(times).toHaveLength(3);
    expect(lines).toEqual({ low: [7, 8, null], late: [null, null, 1] });
  });
});

describe("csv", () => {
  it("quotes what must be, and runs no formula", () => {
    expect(csv([{ type: '=1+"1"', n: -2, x: null }])).toBe(`type,n,x\r\n"'=1+""1""",-2,\r\n`);
    expect(csv([])).toBe("\r\n");
  });
});

describe("busiest", () => {
  it("prefers what was done today, then what is there", () => {
    const queues = [
      { queue: "b", processed_today: 0, size: 9 },
      { queue: "a", processed_today: 5, size: 0 },
      { queue: "c", processed_today: 0, size: 1 },
    ];
    expect(busiest(queues, 2)).toEqual(["a", "b"]);
  });
});
