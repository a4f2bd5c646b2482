import { describe, expect, it } from "vitest";
import type { Queue } from "~/api/client";
import { BUCKETS, Throughput } from "./throughput";

const queues = (totals: Record<string, number>): Record<string, Queue> =>
  Object.fromEntries(
    Object.entries(totals).map(([queue, processed_total]) => [queue, { queue, processed_total } as Queue]),
  );

describe("Throughput", () => {
  it("counts what was added since it first looked, by queue and in sum", () => {
    const all = new Throughput();
    all.feed(queues({ a: 100, b: 0 }), 10_000);
    all.feed(queues({ a: 120, b: 10 }), 12_000);
    const a = all.speed("a", 14_000);
    expect(a.values.at(-1)).toBe(10);
    expect(a.now).toBe(10);
    expect(a.values).toHaveLength(BUCKETS);
    expect(all.speed(undefined, 14_000).now).toBe(15);
    expect(all.speed(undefined, 22_000).now).toBe(3);
    expect(all.speed("nobody", 14_000).now).toBe(0);
  });

  it("knows no speed before it has seen two seconds, and is the mean of what it has seen", () => {
    const all = new Throughput();
    expect(all.speed("a", 10_000).now).toBeNull();
    all.feed(queues({ a: 0 }), 10_500);
    expect(all.speed("a", 12_000).now).toBeNull();
    all.feed(queues({ a: 8 }), 12_500);
    expect(all.speed("a", 14_000).now).toBe(4);
    expect(all.speed("a", 16_000).now).toBe(2);
    expect(all.speed("a", 22_000).now).toBe(0.8);
  });

  it("forgets after a minute, also over a long silence", () => {
    const all = new Throughput();
    all.feed(queues({ a: 0 }), 0);
    all.feed(queues({ a: 10 }), 2_000);
    expect(Math.max(...all.speed("a", 50_000).values)).toBe(5);
    expect(Math.max(...all.speed("a", 90_000).values)).toBe(0);
    all.feed(queues({ a: 12 }), 200_000);
    expect(all.speed("a", 202_000).values.filter((each) => each > 0)).toEqual([1]);
  });

  it("does not make a burst of what happened while nobody looked, nor of a queue that began anew", () => {
    const all = new Throughput();
    all.feed(queues({ a: 0 }), 0);
    all.rest();
    all.feed(queues({ a: 5_000 }), 20_000);
    expect(all.speed("a", 22_000).now).toBeNull();
    all.feed(queues({ a: 3 }), 24_000);
    expect(all.speed("a", 26_000).now).toBe(0);
    all.feed(queues({}), 26_000);
    expect(all.speed("a", 28_000).now).toBe(0);
  });
});
