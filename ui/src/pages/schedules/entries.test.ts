import { describe, expect, it } from "vitest";
import type { SchedulerEntry } from "~/api/client";
import { isMissed, listed, meaning, nextRuns, shared, specAndZone } from "./entries";

const entry = (parts: Partial<SchedulerEntry>): SchedulerEntry => ({
  id: "e",
  scheduler: "host:1",
  spec: "@every 30s",
  type: "t",
  queue: "default",
  payload: { kind: "empty", text: "", size: 0, encodings: [], is_cut: false },
  options: [],
  next_enqueue_at: "2026-11-24T10:00:00Z",
  next_runs: [],
  previous_enqueue_at: null,
  is_duplicate: false,
  is_missed: false,
  ...parts,
});

it("takes the time zone from a spec", () => {
  expect(specAndZone("CRON_TZ=Europe/Berlin 0 8 * * *")).toEqual({ spec: "0 8 * * *", zone: "Europe/Berlin" });
  expect(specAndZone("TZ=UTC @daily")).toEqual({ spec: "@daily", zone: "UTC" });
  expect(specAndZone("@daily")).toEqual({ spec: "@daily" });
});

it.each([
  ["@every 1h30m", "every 1 h 30 min"],
  ["@every 20s", "every 20 s"],
  ["@every soon", undefined],
  ["@hourly", "each hour at :00"],
  ["* * * * *", "every minute"],
  ["*/5 * * * *", "every 5 min"],
  ["*/7 * * * *", undefined],
  ["5 * * * *", "each hour at :05"],
  ["0 */6 * * *", "every 6 h"],
  ["30 8 * * *", "each day at 08:30"],
  ["CRON_TZ=Asia/Tokyo 30 8 * * 1-5", "Monday to Friday at 08:30"],
  ["0 9 * * 0", "each Sunday at 09:00"],
  ["0 9 1 * *", undefined],
  ["0 9 * * 1,3", undefined],
])("says %s in words", (spec, words) => {
  expect(meaning(spec)).toBe(words);
});

describe("shared", () => {
  it("makes one of what several schedulers of Python know: it is enqueued once", () => {
    const found = shared([
      entry({ is_duplicate: true }),
      entry({ is_duplicate: true, scheduler: "host:2", next_enqueue_at: "2026-11-24T09:00:00Z" }),
    ]);
    expect(found).toMatchObject([{ schedulers: 2, isTwice: false, entry: { scheduler: "host:2" } }]);
  });
  it("tells of those that are alike under several ids: each of them is enqueued", () => {
    const found = shared([entry({}), entry({ id: "f", scheduler: "host:2" })]);
    expect(found.map((each) => each.isTwice)).toEqual([true, true]);
    expect(shared([entry({}), entry({ id: "f", type: "other" })]).map((each) => each.isTwice)).toEqual([false, false]);
  });
});

it("counts as missed what its scheduler says, and what is overdue by far", () => {
  const due = Date.parse("2026-11-24T10:00:00Z");
  expect(isMissed(entry({ is_missed: true }), 0)).toBe(true);
  expect(isMissed(entry({}), due + 30_000)).toBe(false);
  expect(isMissed(entry({}), due + 90_000)).toBe(true);
  expect(isMissed(entry({ next_enqueue_at: null }), due)).toBe(false);
});

it("has the next runs where the server tells them", () => {
  expect(nextRuns(entry({}))).toEqual([]);
  expect(nextRuns({ ...entry({}), next_runs: ["2026-11-24T10:00:00Z"] } as SchedulerEntry)).toHaveLength(1);
});

it("lists by the next moment unless asked otherwise", () => {
  const all = [
    entry({ id: "1", type: "b" }),
    entry({ id: "2", type: "a", next_enqueue_at: "2026-11-24T11:00:00Z" }),
    entry({ id: "3", type: "c", next_enqueue_at: null, queue: "low" }),
  ];
  expect(listed(all, {}).map((each) => each.id)).toEqual(["1", "2", "3"]);
  expect(listed(all, { sort: "type", descending: true }).map((each) => each.id)).toEqual(["3", "1", "2"]);
  expect(listed(all, { name: "LOW" }).map((each) => each.id)).toEqual(["3"]);
});
