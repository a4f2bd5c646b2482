import { describe, expect, it } from "vitest";
import { axisTimes } from "./chartTime";

const at = (text: string): number => Date.parse(text) / 1000;

describe("times of an axis", () => {
  it("are of 24 hours, with seconds where they matter", () => {
    expect(axisTimes([at("2026-11-24T14:10:00Z"), at("2026-11-24T14:20:00Z")], 600, "utc")).toEqual(["14:10", "14:20"]);
    expect(axisTimes([at("2026-11-24T14:10:05Z")], 5, "utc")).toEqual(["14:10:05"]);
  });

  it("tell the day where it changes, and days alone", () => {
    const moments = ["2026-11-24T18:00:00Z", "2026-11-25T00:00:00Z", "2026-11-25T06:00:00Z"].map(at);
    expect(axisTimes(moments, 21_600, "utc")).toEqual(["18:00\n11-24", "00:00\n11-25", "06:00"]);
    expect(axisTimes([at("2026-11-24T00:00:00Z")], 86_400, "utc")).toEqual(["11-24"]);
  });
});
