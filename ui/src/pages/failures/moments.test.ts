import { expect, it } from "vitest";
import { meant, typed } from "./moments";

it("shows moments by the clock of UTC and understands them so", () => {
  expect(typed("2026-11-24T13:05:09Z", "utc")).toBe("2026-11-24T13:05");
  expect(meant("2026-11-24T13:05", "utc")).toBe("2026-11-24T13:05:00.000Z");
});

it("goes there and back by the clock of this machine", () => {
  expect(meant(typed("2026-11-24T13:05:00.000Z", "local"), "local")).toBe("2026-11-24T13:05:00.000Z");
});

it("takes nothing for nothing", () => {
  expect(typed(undefined, "utc")).toBe("");
  expect(typed("yesterday", "utc")).toBe("");
  expect(meant("", "utc")).toBeUndefined();
  expect(meant("soon", "local")).toBeUndefined();
});
