import { describe, expect, it } from "vitest";
import type { Queue, ServerInfo } from "~/api/client";
import { byPriority, fleetOf, listed } from "./fleet";

const server = (parts: Partial<ServerInfo>): ServerInfo => ({
  id: "id",
  host: "a",
  pid: 1,
  concurrency: 10,
  queues: { default: 1 },
  strict_priority: false,
  status: "active",
  started: "2026-11-24T10:00:00Z",
  speaks: "python",
  handles: ["email:"],
  app_version: null,
  asynqpy_version: "0.1.0",
  busy: 0,
  workers: [],
  ...parts,
});
const queue = (name: string, parts: Partial<Queue> = {}): Queue =>
  ({ queue: name, pending: 0, scheduled: 0, retry: 0, aggregating: 0, paused: false, ...parts }) as Queue;

describe("fleetOf", () => {
  it("counts who speaks what, and slots", () => {
    const fleet = fleetOf([server({ busy: 10 }), server({ speaks: "unknown", concurrency: 5, busy: 2 })], []);
    expect(fleet).toMatchObject({ python: 1, other: 1, busy: 12, slots: 15 });
  });

  it("finds queues that nobody serves, those with most waiting first; a stopped server serves none", () => {
    const fleet = fleetOf(
      [server({ queues: { default: 1 } }), server({ id: "2", status: "stopped", queues: { old: 1 } })],
      [queue("default"), queue("old", { pending: 1 }), queue("lost", { scheduled: 4 }), queue("empty")],
    );
    expect(fleet.unserved.map((each) => each.queue)).toEqual(["lost", "old", "empty"]);
    expect(fleet.stopped.map((each) => each.id)).toEqual(["2"]);
  });

  it("counts what waits for a slot: not what is paused or unserved", () => {
    const fleet = fleetOf([server({})], [queue("default", { pending: 3 }), queue("lost", { pending: 5 })]);
    expect(fleet.waiting).toBe(3);
    expect(fleetOf([server({})], [queue("default", { pending: 3, paused: true })]).waiting).toBe(0);
  });
});

it("puts the highest priority first", () => {
  expect(byPriority(server({ queues: { low: 1, high: 6, also: 1 } })).map(([name]) => name)).toEqual([
    "high",
    "also",
    "low",
  ]);
});

describe("listed", () => {
  const all = [
    server({ id: "1", host: "b", pid: 2, busy: 9, queues: { media: 1 } }),
    server({ id: "2", host: "b", pid: 1, busy: 1, handles: null, speaks: "unknown" }),
    server({ id: "3", host: "a", pid: 9, busy: 5, handles: ["video:"] }),
  ];
  const ids = (...search: Parameters<typeof listed>[1][]) => listed(all, search[0] ?? {}).map((each) => each.id);
  it("is by host and process unless asked otherwise", () => {
    expect(ids({})).toEqual(["3", "2", "1"]);
    expect(ids({ descending: true })).toEqual(["1", "2", "3"]);
    expect(ids({ sort: "busy", descending: true })).toEqual(["1", "3", "2"]);
    expect(ids({ sort: "no such column" })).toEqual(["3", "2", "1"]);
  });
  it("finds by host, queue and pattern", () => {
    expect(ids({ name: "MEDIA" })).toEqual(["1"]);
    expect(ids({ name: "video" })).toEqual(["3"]);
    expect(ids({ name: "b:1" })).toEqual(["2"]);
  });
});
