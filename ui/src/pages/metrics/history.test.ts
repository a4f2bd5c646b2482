import { describe, expect, it } from "vitest";
import { durationText, fieldOf, momentOf, moved, parseDuration } from "./history";

describe("durations", () => {
  it("are read as asynqmon takes them", () => {
    expect(parseDuration("90m")).toBe(5400);
    expect(parseDuration(" 1h 30M ")).toBe(5400);
    expect(parseDuration("2w")).toBe(14 * 86_400);
    for (const wrong of ["", "90", "m", "1y", "10s", "500d", "-1h"]) expect(parseDuration(wrong)).toBeUndefined();
  });

  it("are told in full", () => {
    expect(durationText(3600)).toBe("1 h");
    expect(durationText(5430)).toBe("1 h 30 min 30 s");
    expect(durationText(8 * 86_400)).toBe("8 d");
  });
});

describe("the end of a window", () => {
  it("moves, but not past now", () => {
    expect(moved(undefined, -3600, 10_000.5)).toBe(6400);
    expect(moved(6400, -3600, 10_000)).toBe(2800);
    expect(moved(2800, 3600, 10_000)).toBe(6400);
    expect(moved(6400, 3600, 10_000)).toBeUndefined();
  });

  it("goes into a field and comes back, by either clock", () => {
    for (const zone of ["utc", "local"] as const)
      expect(momentOf(fieldOf(1_700_000_040, zone), zone)).toBe(1_700_000_040);
    expect(fieldOf(1_700_000_040, "utc")).toBe("2023-11-14 22:14");
    for (const wrong of ["", "2023", "2023-13-40 10:00"]) expect(momentOf(wrong, "utc")).toBeUndefined();
  });
});
