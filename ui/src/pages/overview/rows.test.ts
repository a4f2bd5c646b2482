import { describe, expect, it } from "vitest";
import type { Queue } from "~/api/client";
import { shownRows } from "./rows";

const queue = (name: string, size: number, processed_today = 0, failed_today = 0): Queue =>
  ({ queue: name, size, processed_today, failed_today, paused: false, latency_seconds: 0 }) as Queue;
const ALL = [queue("tenant-10", 5, 10, 5), queue("tenant-9", 5, 0, 0), queue("Mail", 7, 10, 1)];
const names = (...given: Parameters<typeof shownRows>) => shownRows(...given).map((each) => each.queue);

describe("shownRows", () => {
  it("sorts by name, numbers as numbers, unless told otherwise", () => {
    expect(names(ALL, {})).toEqual(["Mail", "tenant-9", "tenant-10"]);
    expect(names(ALL, { descending: true })).toEqual(["tenant-10", "tenant-9", "Mail"]);
    expect(names(ALL, { sort: "nonsense" })).toEqual(["Mail", "tenant-9", "tenant-10"]);
  });

  it("sorts by numbers, and equals by name either way", () => {
    expect(names(ALL, { sort: "size", descending: true })).toEqual(["Mail", "tenant-9", "tenant-10"]);
    expect(names(ALL, { sort: "size" })).toEqual(["tenant-9", "tenant-10", "Mail"]);
    expect(names(ALL, { sort: "error_rate", descending: true })).toEqual(["tenant-10", "Mail", "tenant-9"]);
    expect(names(ALL, { sort: "memory", descending: true }, { "tenant-9": 3 })[0]).toBe("tenant-9");
  });

  it("filters by part of the name, whatever its case", () => {
    expect(names(ALL, { name: "MAI" })).toEqual(["Mail"]);
    expect(names(ALL, { name: "nant-" })).toHaveLength(2);
  });
});
