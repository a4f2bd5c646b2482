/** How fast queues work just now, from how their counters change in the live data. */
import { useEffect, useSyncExternalStore } from "react";
import type { Queue } from "~/api/client";
import { connection } from "~/live/connection";

export const BUCKET_SECONDS = 2;
export const BUCKETS = 30;
/** Buckets that "now" is the mean of. */
const RECENT = 5;

interface Track {
  seen: Queue;
  /** Attempts by bucket, a ring. */
  counts: number[];
  /** The last bucket that was counted in. */
  at: number;
}

export interface Speed {
  /** A second, over the last ten seconds, or as many of them as were seen; null before the first two were. */
  now: number | null;
  /** A second, by bucket, the oldest first. */
  values: number[];
}

const bucket = (milliseconds: number): number => Math.floor(milliseconds / (BUCKET_SECONDS * 1000));

/** Counters by queue over the last minute. Pure but for its memory: the time is given. */
export class Throughput {
  private readonly tracks = new Map<string, Track>();
  private readonly sum: Omit<Track, "seen"> = { counts: new Array(BUCKETS).fill(0), at: 0 };
  private isResting = true;
  /** The first bucket that is seen as a whole since nothing was heard. */
  private since = Number.POSITIVE_INFINITY;

  /** Nothing is heard for a while: what happens meanwhile is not counted as if it happened at its end. */
  rest(): void {
    this.isResting = true;
  }

  /** Take in all queues as they are at *milliseconds*. */
  feed(queues: Readonly<Record<string, Queue>>, milliseconds: number): void {
    const at = bucket(milliseconds);
    if (this.isResting) this.since = at + 1;
    for (const name in queues) {
      const queue = queues[name] as Queue;
      const track = this.tracks.get(name);
      if (!track) {
        this.tracks.set(name, { seen: queue, counts: new Array(BUCKETS).fill(0), at });
        continue;
      }
      if (track.seen === queue) continue;
      // A counter that has fallen belongs to a new queue of the same name.
      const done = this.isResting ? 0 : Math.max(0, queue.processed_total - track.seen.processed_total);
      track.seen = queue;
      add(track, at, done);
      add(this.sum, at, done);
    }
    if (this.tracks.size > Object.keys(queues).length) {
      for (const name of this.tracks.keys()) if (!(name in queues)) this.tracks.delete(name);
    }
    this.isResting = false;
  }

  /** The speed of a queue, of all together without a name. The bucket that is still filling is left out. */
  speed(name: string | undefined, milliseconds: number): Speed {
    const track = name === undefined ? this.sum : this.tracks.get(name);
    const last = bucket(milliseconds) - 1;
    const values = Array.from({ length: BUCKETS }, (_, i) => {
      const at = last - (BUCKETS - 1) + i;
      if (!track || at > track.at || at <= track.at - BUCKETS) return 0;
      return (track.counts[at % BUCKETS] ?? 0) / BUCKET_SECONDS;
    });
    const seen = Math.min(RECENT, last - this.since + 1);
    if (seen < 1) return { now: null, values };
    return { now: values.slice(-seen).reduce((sum, each) => sum + each, 0) / seen, values };
  }
}

function add(track: Omit<Track, "seen">, at: number, done: number): void {
  if (at - track.at >= BUCKETS) track.counts.fill(0);
  else for (let gone = track.at + 1; gone <= at; gone++) track.counts[gone % BUCKETS] = 0;
  track.at = Math.max(track.at, at);
  track.counts[at % BUCKETS] = (track.counts[at % BUCKETS] ?? 0) + done;
}

const throughput = new Throughput();
const listeners = new Set<() => void>();
let tick = Date.now();
let isStarted = false;

function start(): void {
  if (isStarted) return;
  isStarted = true;
  let queues = connection.get().queues;
  const hear = () => {
    const live = connection.get();
    if (live.status !== "live" && live.status !== "polling") {
      throughput.rest();
      return;
    }
    if (live.queues === queues) return;
    queues = live.queues;
    throughput.feed(queues, Date.now());
  };
  if (connection.get().isLoaded) throughput.feed(queues, Date.now());
  connection.subscribe(hear);
  setInterval(() => {
    const { status } = connection.get();
    if (listeners.size === 0 || status === "paused" || status === "hidden") return;
    tick = Date.now();
    for (const each of listeners) each();
  }, BUCKET_SECONDS * 1000);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The speed of a queue, of all together without a name; again every two seconds. */
export function useThroughput(name?: string): Speed {
  useEffect(start, []);
  const at = useSyncExternalStore(subscribe, () => tick);
  return throughput.speed(name, at);
}
