/** What was processed on each day. Pure. */
import type { Queue } from "~/api/client";

export interface DayCount {
  day: string;
  processed: number;
  succeeded: number;
  failed: number;
}

/** The day that counters of queues are of: their days end at midnight in UTC. */
export const dayOf = (moment: Date): string => moment.toISOString().slice(0, 10);

/**
 * *days*, the newest first as the API has them, with the counters of *queues* for *today*: days are read now and then,
 * counters are news. What is of another day stays as it was read.
 */
export function withToday(days: readonly DayCount[], queues: readonly Queue[], today: string): readonly DayCount[] {
  const [newest, ...older] = days;
  if (newest?.day !== today) return days;
  const processed = queues.reduce((sum, queue) => sum + queue.processed_today, 0);
  const failed = queues.reduce((sum, queue) => sum + queue.failed_today, 0);
  // Just after midnight the counters may still be those of yesterday, and never is anything taken back.
  if (processed < newest.processed) return days;
  return [{ ...newest, processed, failed, succeeded: processed - failed }, ...older];
}
