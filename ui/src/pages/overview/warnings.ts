/** What somebody should look at, from live data alone. Pure. */
import type { Queue, SchedulerEntry, ServerInfo } from "~/api/client";

/** A served queue whose next task has waited longer is slow, seconds. */
export const SLOW_SECONDS = 60;
/** More than this share of at least so many attempts of today failed. */
export const FAILING_SHARE = 0.5;
export const FAILING_ATTEMPTS = 20;

export type Warning =
  | { kind: "no_servers" }
  | { kind: "unserved" | "slow" | "paused" | "failing"; queues: string[] }
  | { kind: "missed" | "duplicates"; entries: number };

export function warnings(
  queues: Readonly<Record<string, Queue>>,
  servers: Readonly<Record<string, ServerInfo>>,
  schedulers: Readonly<Record<string, SchedulerEntry>>,
): Warning[] {
  const found: Warning[] = [];
  const served = new Set(Object.values(servers).flatMap((server) => Object.keys(server.queues)));
  const all = Object.values(queues);
  const names = (fits: (queue: Queue) => boolean) =>
    all
      .filter(fits)
      .sort((a, b) => b.size - a.size || (a.queue < b.queue ? -1 : 1))
      .map((queue) => queue.queue);
  const add = (kind: "unserved" | "slow" | "paused" | "failing", fits: (queue: Queue) => boolean) => {
    const those = names(fits);
    if (those.length) found.push({ kind, queues: those });
  };
  const waits = (queue: Queue) => queue.pending + queue.active + queue.scheduled + queue.retry + queue.aggregating > 0;

  if (served.size === 0) {
    if (all.some(waits)) found.push({ kind: "no_servers" });
  } else {
    add("unserved", (queue) => waits(queue) && !served.has(queue.queue));
  }
  add(
    "slow",
    (queue) => queue.latency_seconds > SLOW_SECONDS && queue.pending > 0 && !queue.paused && served.has(queue.queue),
  );
  add("paused", (queue) => queue.paused && queue.pending > 0);
  add(
    "failing",
    (queue) => queue.processed_today >= FAILING_ATTEMPTS && queue.failed_today / queue.processed_today > FAILING_SHARE,
  );
  const entries = Object.values(schedulers);
  const missed = entries.filter((entry) => entry.is_missed).length;
  if (missed) found.push({ kind: "missed", entries: missed });
  const duplicates = entries.filter((entry) => entry.is_duplicate).length;
  if (duplicates) found.push({ kind: "duplicates", entries: duplicates });
  return found;
}
