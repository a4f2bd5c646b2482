import { describe, expect, it } from "vitest";
import type { Schemas } from "~/api/client";
import { linesWith, together, warningsOf } from "./health";

const HOUR = 3600;
const told = (info: Record<string, string>, parts: Partial<Schemas["Redis"]> = {}): Schemas["Redis"] => ({
  name: "default",
  is_cluster: false,
  cluster: {},
  clock_skew_seconds: 0,
  nodes: {},
  info: { maxmemory_policy: "noeviction", aof_enabled: "1", aof_last_write_status: "ok", ...info },
  ...parts,
});
const texts = (redis: Schemas["Redis"]) => warningsOf(redis).map((each) => each.text);

describe("warningsOf", () => {
  it("has nothing to say of a sound Redis", () => {
    expect(texts(told({ rdb_last_bgsave_status: "ok", evicted_keys: "0", maxmemory: "0" }))).toEqual([]);
  });

  it.each([
    [{ maxmemory_policy: "allkeys-lru" }, /allkeys-lru/],
    [{ evicted_keys: "7" }, /7 keys were evicted/],
    [{ rdb_last_bgsave_status: "err" }, /last snapshot/],
    [{ aof_last_write_status: "err" }, /append-only file has failed/],
    [{ maxmemory: "100", used_memory: "95" }, /95 % of the allowed memory/],
  ])("is grave about %o", (info, text) => {
    expect(warningsOf(told(info))).toEqual([{ isGrave: true, text: expect.stringMatching(text) }]);
  });

  it("tells when nothing has been written to disk for long", () => {
    const now = 1_800_000_000;
    const info = {
      aof_enabled: "0",
      rdb_changes_since_last_save: "5",
      server_time_usec: String(now * 1e6),
      rdb_last_save_time: String(now - 2 * HOUR),
    };
    expect(texts(told(info))).toEqual([expect.stringMatching(/no snapshot for 2 h/)]);
    expect(texts(told({ ...info, rdb_last_save_time: String(now - 60) }))).toEqual([]);
    expect(texts(told({ ...info, rdb_changes_since_last_save: "0" }))).toEqual([]);
    expect(texts(told({ ...info, aof_enabled: "1" }))).toEqual([]);
  });

  it("tells of clocks, connections and the cluster", () => {
    expect(texts(told({}, { clock_skew_seconds: -12 }))).toEqual([expect.stringMatching(/12 s apart/)]);
    expect(texts(told({ rejected_connections: "3" }))).toEqual([expect.stringMatching(/3 connections/)]);
    expect(texts(told({}, { is_cluster: true, cluster: { cluster_state: "fail" } }))).toEqual([
      expect.stringMatching(/fail/),
    ]);
    expect(texts(told({}, { is_cluster: true, cluster: { cluster_state: "ok" } }))).toEqual([]);
  });
});

describe("a cluster", () => {
  const sound = { maxmemory_policy: "noeviction", aof_enabled: "1" };

  it("is warned of by each of its masters", () => {
    const nodes = { "a:1": { ...sound, evicted_keys: "3" }, "b:2": sound, "c:3": {} };
    const redis = told({ evicted_keys: "3" }, { is_cluster: true, nodes, clock_skew_seconds: 5 });
    expect(texts(redis)).toEqual([
      expect.stringMatching(/^a:1: 3 keys were evicted/),
      expect.stringMatching(/^c:3 does not answer/),
      expect.stringMatching(/5 s apart/),
    ]);
  });

  it("is summed up where sums mean something", () => {
    const one = { used_memory: "100", used_memory_rss: "150", used_memory_peak: "200", maxmemory: "500" };
    const other = { used_memory: "300", used_memory_rss: "350", used_memory_peak: "900", maxmemory: "500" };
    const all = together([{}, { ...one, uptime_in_seconds: "90" }, { ...other, uptime_in_seconds: "9" }]);
    expect(all).toEqual({
      used_memory: "400",
      used_memory_rss: "500",
      maxmemory: "1000",
      uptime_in_seconds: "9",
      mem_fragmentation_ratio: "1.25",
    });
    expect(together([one, { ...other, maxmemory: "0" }]).maxmemory).toBe("0");
  });
});

it("finds lines by name and value", () => {
  const info = { redis_version: "7.2.4", used_memory: "10", mem_allocator: "jemalloc" };
  expect(linesWith(info, " MEM ").map(([name]) => name)).toEqual(["used_memory", "mem_allocator"]);
  expect(linesWith(info, "7.2").map(([name]) => name)).toEqual(["redis_version"]);
  expect(linesWith(info, "")).toHaveLength(3);
});
