/** What is wrong with a Redis, by what it says about itself. Pure. */
import type { Schemas } from "~/api/client";
import { count, percent, span } from "~/lib/format";
import { redis as words } from "~/strings/redis";

export interface Warning {
  /** Whether tasks may get lost. */
  isGrave: boolean;
  text: string;
}

/** Clocks that differ by less agree well enough. */
export const SKEW_SECONDS = 2;
const FULL = 0.9;

export const number = (info: Readonly<Record<string, string>>, name: string): number | undefined => {
  const value = info[name];
  return value === undefined || value === "" || Number.isNaN(Number(value)) ? undefined : Number(value);
};

/** What is wrong with a Redis; with a cluster, of whichever of its masters. */
export function warningsOf(redis: Schemas["Redis"]): Warning[] {
  const nodes = Object.entries(redis.nodes);
  if (nodes.length === 0) return warningsOfOne(redis);
  return [
    ...nodes.flatMap(([address, info]) =>
      Object.keys(info).length === 0
        ? [{ isGrave: true, text: words.warnings.silent(address) }]
        : warningsOfOne({ ...redis, info, cluster: {}, clock_skew_seconds: 0 }).map((warning) => ({
            ...warning,
            text: `${address}: ${warning.text}`,
          })),
    ),
    ...warningsOfOne({ ...redis, info: {} }),
  ];
}

const SUMS = [
  "used_memory",
  "used_memory_rss",
  "maxmemory",
  "connected_clients",
  "blocked_clients",
  "connected_slaves",
  "rdb_changes_since_last_save",
  "instantaneous_ops_per_sec",
];
const SMALLEST = ["uptime_in_seconds", "rdb_last_save_time"];

/** The facts of all *nodes* as if they were one Redis: sums, and the oldest or youngest where sums mean nothing. */
export function together(nodes: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const all: Record<string, string> = { ...nodes.find((node) => Object.keys(node).length > 0) };
  delete all.used_memory_peak; // each had its own at another time
  for (const name of [...SUMS, ...SMALLEST]) {
    const values = nodes.map((node) => number(node, name)).filter((value) => value !== undefined);
    const value = SMALLEST.includes(name) ? Math.min(...values) : values.reduce((sum, each) => sum + each, 0);
    if (values.length > 0) all[name] = String(value);
  }
  // A limit of all is one only if each has one.
  if (nodes.some((node) => number(node, "maxmemory") === 0)) all.maxmemory = "0";
  const used = number(all, "used_memory");
  const taken = number(all, "used_memory_rss");
  if (used && taken) all.mem_fragmentation_ratio = (taken / used).toFixed(2);
  return all;
}

function warningsOfOne({ info, cluster, clock_skew_seconds: skew, is_cluster }: Schemas["Redis"]): Warning[] {
  const found: Warning[] = [];
  const add = (isGrave: boolean, text: string) => found.push({ isGrave, text });
  const { warnings } = words;
  const policy = info.maxmemory_policy;
  if (policy && policy !== "noeviction") add(true, warnings.eviction(policy));
  const evicted = number(info, "evicted_keys") ?? 0;
  if (evicted > 0) add(true, warnings.evicted(count(evicted)));
  const unsaved = info.aof_enabled === "0" ? secondsWithoutSnapshot(info) : 0;
  if (unsaved > 0) add(true, warnings.persistence(span(unsaved)));
  if (info.rdb_last_bgsave_status && info.rdb_last_bgsave_status !== "ok") add(true, warnings.saveFailed);
  if (info.aof_enabled === "1" && info.aof_last_write_status && info.aof_last_write_status !== "ok") {
    add(true, warnings.appendFailed);
  }
  const allowed = number(info, "maxmemory") ?? 0;
  const used = number(info, "used_memory") ?? 0;
  if (allowed > 0 && used / allowed >= FULL) add(true, warnings.memory(percent(used / allowed)));
  if (Math.abs(skew) >= SKEW_SECONDS) add(false, warnings.skew(span(skew)));
  const rejected = number(info, "rejected_connections") ?? 0;
  if (rejected > 0) add(false, warnings.rejected(count(rejected)));
  if (is_cluster && cluster.cluster_state && cluster.cluster_state !== "ok") {
    add(true, warnings.cluster(cluster.cluster_state));
  }
  return found;
}

/** The longest that a Redis with changes goes without a snapshot by the settings it comes with. */
const SNAPSHOT_SECONDS = 3600;

/** How long there has been no snapshot though one was due; INFO does not tell the setting `save`. */
function secondsWithoutSnapshot(info: Readonly<Record<string, string>>): number {
  const changes = number(info, "rdb_changes_since_last_save") ?? 0;
  const saved = number(info, "rdb_last_save_time");
  if (changes === 0 || saved === undefined) return 0;
  const seconds = (number(info, "server_time_usec") ?? Date.now() * 1000) / 1e6 - saved;
  return seconds > SNAPSHOT_SECONDS ? seconds : 0;
}

/** Lines in which *word* is, by name or value, in order of their names as Redis says them. */
export function linesWith(info: Readonly<Record<string, string>>, word: string): [string, string][] {
  const wanted = word.trim().toLowerCase();
  return Object.entries(info).filter(([name, value]) => !wanted || `${name}:${value}`.toLowerCase().includes(wanted));
}
