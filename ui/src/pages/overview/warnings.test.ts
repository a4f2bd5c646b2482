import { describe, expect, it } from "vitest";
import type { Queue, SchedulerEntry, ServerInfo } from "~/api/client";
import { warnings } from "./warnings";

const queue = (name: string, parts: Partial<Queue>): Record<string, Queue> => ({
  [name]: {
    queue: name,
    paused: false,
    size: 0,
    pending: 0,
    active: 0,
    scheduled: 0,
    retry: 0,
    aggregating: 0,
    latency_seconds: 0,
    processed_today: 0,
    failed_today: 0,
    ...parts,
  } as Queue,
});
const serving = (...queues: string[]): Record<string, ServerInfo> => ({
  s: { queues: Object.fromEntries(queues.map((name) => [name, 1])) } as unknown as ServerInfo,
});

describe("warnings", () => {
  it("says nothing while all is well", () => {
    expect(warnings(queue("a", { pending: 3, latency_seconds: 2 }), serving("a"), {})).toEqual([]);
    expect(warnings(queue("a", {}), {}, {})).toEqual([]);
  });

  it("tells of queues that nobody serves, the largest first, or of no server at all", () => {
    const queues = { ...queue("a", { retry: 1, size: 1 }), ...queue("b", { pending: 9, size: 9 }), ...queue("c", {}) };
    expect(warnings(queues, serving("x"), {})).toEqual([{ kind: "unserved", queues: ["b", "a"] }]);
    expect(warnings(queues, {}, {})).toEqual([{ kind: "no_servers" }]);
  });

  it("tells of slow, paused and failing queues, each for its own reason", () => {
    const queues = {
      ...queue("slow", { pending: 1, latency_seconds: 61 }),
      ...queue("held", { pending: 1, latency_seconds: 999, paused: true }),
      ...queue("bad", { processed_today: 20, failed_today: 11 }),
      ...queue("few", { processed_today: 19, failed_today: 19 }),
    };
    expect(warnings(queues, serving("slow", "held", "bad", "few"), {})).toEqual([
      { kind: "slow", queues: ["slow"] },
      { kind: "paused", queues: ["held"] },
      { kind: "failing", queues: ["bad"] },
    ]);
  });

  it("counts schedules that were missed or are registered twice", () => {
    const entry = (parts: Partial<SchedulerEntry>) => parts as SchedulerEntry;
    const schedulers = {
      a: entry({ is_missed: true }),
      b: entry({ is_duplicate: true }),
      c: entry({ is_duplicate: true }),
    };
    expect(warnings({}, {}, schedulers)).toEqual([
      { kind: "missed", entries: 1 },
      { kind: "duplicates", entries: 2 },
    ]);
  });
});
