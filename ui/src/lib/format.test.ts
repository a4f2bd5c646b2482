import { expect, test } from "vitest";
import { absolute, bytes, count, percent, rate, relative, shortCount, span } from "./format";

test.each([
  [0, "now"],
  [999, "now"],
  [5_000, "in 5 s"],
  [-119_000, "119 s ago"],
  [-120_000, "2 min ago"],
  [90 * 60_000, "in 90 min"],
  [-3 * 3_600_000, "3 h ago"],
  [49 * 3_600_000, "in 2 d"],
])("%d ms from now is %s", (offset, text) => expect(relative(1e12 + offset, 1e12)).toBe(text));

test.each([
  [0, "0 s"],
  [0.0042, "4.2 ms"],
  [0.25, "250 ms"],
  [3.21, "3.2 s"],
  [75, "1 min 15 s"],
  [119.7, "2 min"],
  [3_600, "1 h"],
  [90_000, "1 d 1 h"],
])("%d seconds are %s", (seconds, text) => expect(span(seconds)).toBe(text));

test("numbers, sizes, rates and shares", () => {
  expect(count(1_234_567)).toBe("1,234,567");
  expect([shortCount(9_999), shortCount(1_234_567)]).toEqual(["9,999", "1.23M"]);
  expect([bytes(12), bytes(1_536), bytes(3 * 1024 ** 3)]).toEqual(["12 B", "1.5 KiB", "3.0 GiB"]);
  expect([rate(0), rate(12.34), rate(0.02), rate(0.0005)]).toEqual(["0/s", "12.3/s", "1.2/min", "1.8/h"]);
  expect(percent(0.01234)).toBe("1.23 %");
});

test("a moment in full", () => {
  expect(absolute(new Date("2026-11-24T13:05:09Z"), "utc")).toBe("2026-11-24 13:05:09 UTC");
});
