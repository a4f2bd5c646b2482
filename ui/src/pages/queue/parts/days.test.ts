import { expect, it } from "vitest";
import type { Queue } from "~/api/client";
import { dayOf, withToday } from "./days";

const counters = (processed_today: number, failed_today: number) => ({ processed_today, failed_today }) as Queue;
const day = (name: string, processed: number) => ({ day: name, processed, succeeded: processed, failed: 0 });
const DAYS = [day("2026-11-24", 5), day("2026-11-23", 9)];

it("shows what has been counted since the days were read", () => {
  expect(withToday(DAYS, [counters(6, 2), counters(1, 0)], "2026-11-24")).toEqual([
    { day: "2026-11-24", processed: 7, succeeded: 5, failed: 2 },
    day("2026-11-23", 9),
  ]);
});

it("leaves days alone that the counters are not of", () => {
  for (const [processed, today] of [
    [8, "2026-11-25"],
    [4, "2026-11-24"],
  ] as const) {
    expect(withToday(DAYS, [counters(processed, 0)], today)).toBe(DAYS);
  }
  expect(withToday([], [], "2026-11-24")).toEqual([]);
  expect(dayOf(new Date("2026-11-24T23:30:00-05:00"))).toBe("2026-11-25");
});
