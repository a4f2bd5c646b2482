/** Which queues the table shows, and in what order. Pure. */
import type { Queue } from "~/api/client";
import { errorRate } from "~/pages/queue/parts/StateBar";

export const SORTS = ["queue", "state", "size", "latency", "processed", "failed", "error_rate", "memory"] as const;
export type Sort = (typeof SORTS)[number];

export const isSort = (word: unknown): word is Sort => SORTS.includes(word as Sort);

export type Memory = Readonly<Record<string, number | null>>;

const VALUES: Readonly<Record<Exclude<Sort, "queue">, (queue: Queue, memory: Memory) => number>> = {
  state: (queue) => (queue.paused ? 1 : 0),
  size: (queue) => queue.size,
  latency: (queue) => queue.latency_seconds,
  processed: (queue) => queue.processed_today,
  failed: (queue) => queue.failed_today,
  error_rate: (queue) => errorRate(queue) ?? -1,
  memory: (queue, memory) => memory[queue.queue] ?? -1,
};

/** Numbers in names count as numbers: tenant-9 before tenant-10. */
const byName = new Intl.Collator("en", { numeric: true }).compare;

export function shownRows(
  queues: readonly Queue[],
  { name, sort, descending }: { name?: string; sort?: string; descending?: boolean },
  memory: Memory = {},
): Queue[] {
  const word = name?.toLowerCase();
  const found = word ? queues.filter((queue) => queue.queue.toLowerCase().includes(word)) : [...queues];
  const direction = descending ? -1 : 1;
  const key = isSort(sort) && sort !== "queue" ? VALUES[sort] : undefined;
  return found.sort((a, b) => {
    const difference = key ? key(a, memory) - key(b, memory) : 0;
    return difference ? difference * direction : byName(a.queue, b.queue) * (key ? 1 : direction);
  });
}
