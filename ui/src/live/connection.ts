/**
 * One stream of server-sent events for the whole page, and what it has told: queues, servers, schedulers, jobs and the
 * tasks that somebody looks at. Where the stream cannot be had (a proxy that holds it back), the same is polled.
 */
import {
  address,
  answer,
  api,
  type Job,
  type Queue,
  type SchedulerEntry,
  type ServerInfo,
  type Task,
} from "~/api/client";

export type LiveStatus =
  /** Not heard of yet. */
  | "connecting"
  /** Changes arrive as they happen. */
  | "live"
  /** No stream; asked every few seconds. */
  | "polling"
  /** Held still by whoever looks. */
  | "paused"
  /** Nobody looks at the page. */
  | "hidden"
  /** The web server does not answer. */
  | "lost";

export interface Live {
  readonly status: LiveStatus;
  /** Whether the web server reaches Redis, as far as it has said. */
  readonly isRedisUp: boolean;
  readonly redisError: string;
  /** When something was heard last, milliseconds since 1970; 0 before. */
  readonly heardAt: number;
  /** Whether the values below are known at all. */
  readonly isLoaded: boolean;
  readonly queues: Readonly<Record<string, Queue>>;
  readonly servers: Readonly<Record<string, ServerInfo>>;
  /** By `scheduler/entry`. */
  readonly schedulers: Readonly<Record<string, SchedulerEntry>>;
  readonly jobs: Readonly<Record<string, Job>>;
  /** Watched tasks by `queue/id`; null for one that is gone. */
  readonly tasks: Readonly<Record<string, Task | null>>;
}

const EMPTY: Live = {
  status: "connecting",
  isRedisUp: true,
  redisError: "",
  heardAt: 0,
  isLoaded: false,
  queues: {},
  servers: {},
  schedulers: {},
  jobs: {},
  tasks: {},
};

const KINDS = ["queues", "servers", "schedulers", "jobs", "tasks"] as const;
type Kind = (typeof KINDS)[number];

interface Told {
  is_snapshot: boolean;
  values: Record<string, unknown>;
}

/** A stream must bring its first news so soon; a proxy that holds it back does not. */
const FIRST_NEWS_MS = 6_000;
/** The web server says every ten seconds that it lives; when it has not for so long, it does not. */
const SILENCE_MS = 25_000;
/** A poll must be answered so soon. */
const POLL_PATIENCE_MS = 15_000;
/** How long after a failure the stream is tried again: at first, and at most. */
const AGAIN_MS = 1_000;
const AGAIN_AT_MOST_MS = 30_000;

/** The name of a task in the stream. */
export const taskName = (queue: string, id: string): string => `${escaped(queue)}/${escaped(id)}`;
const escaped = (name: string): string => name.replaceAll("%", "%25").replaceAll("/", "%2F");

const heard = () => ({ status: "live", heardAt: Date.now() }) as const;

/** *before* with *told* put in; what is unchanged stays the same object. */
export function merged<T>(before: Readonly<Record<string, T>>, told: Told, keepsGone: boolean): Record<string, T> {
  const after: Record<string, T> = told.is_snapshot ? {} : { ...before };
  for (const [name, value] of Object.entries(told.values)) {
    if (value === null && !keepsGone) delete after[name];
    else after[name] = value as T;
  }
  return after;
}

export class Connection {
  private live: Live = EMPTY;
  private readonly listeners = new Set<() => void>();
  private readonly watched = new Map<string, number>();
  private source: EventSource | undefined;
  /** Streams that have failed one after the other. */
  private failures = 0;
  private isPaused = false;
  /** For the next poll or stream. */
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends a stream of which nothing is heard. */
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private streamAgainAt = 0;
  /** How often to ask where there is no stream, milliseconds. */
  pollMs = 5_000;

  /** Begin, and end with the page. */
  start(): void {
    document.addEventListener("visibilitychange", () => this.reconsider());
    window.addEventListener("online", () => this.reconsider());
    this.reconsider();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): Live => this.live;

  /** Hold everything still, or go on. */
  readonly setPaused = (isPaused: boolean): void => {
    this.isPaused = isPaused;
    this.reconsider();
  };

  /** Hear of one task too, until the returned function is called. */
  readonly watch = (queue: string, id: string): (() => void) => {
    const name = taskName(queue, id);
    this.watched.set(name, (this.watched.get(name) ?? 0) + 1);
    this.reopenSoon();
    return () => {
      const left = (this.watched.get(name) ?? 1) - 1;
      if (left > 0) this.watched.set(name, left);
      else this.watched.delete(name);
      this.reopenSoon();
    };
  };

  private reopenTimer: ReturnType<typeof setTimeout> | undefined;

  /** The address says which tasks are watched, so another one needs another stream; several at once are one. */
  private reopenSoon(): void {
    clearTimeout(this.reopenTimer);
    this.reopenTimer = setTimeout(() => this.source && this.open(), 50);
  }

  private change(parts: Partial<Live>): void {
    this.live = { ...this.live, ...parts };
    for (const listener of this.listeners) listener();
  }

  /** Stream, poll or rest, as page and person want it. */
  private reconsider(): void {
    clearTimeout(this.timer);
    if (this.isPaused || document.hidden) {
      this.close();
      this.change({ status: this.isPaused ? "paused" : "hidden" });
      return;
    }
    this.failures = 0;
    this.open();
  }

  private close(): void {
    clearTimeout(this.watchdog);
    this.source?.close();
    this.source = undefined;
  }

  private open(): void {
    this.close();
    clearTimeout(this.timer);
    const query = [...this.watched.keys()].slice(0, 20).map((name) => `task=${encodeURIComponent(name)}`);
    const source = new EventSource(address`/api/v2/events` + (query.length ? `?${query.join("&")}` : ""));
    this.source = source;
    if (!this.live.heardAt || ["paused", "hidden"].includes(this.live.status)) this.change({ status: "connecting" });
    this.expectNews(source, FIRST_NEWS_MS);
    source.onerror = () => this.giveUp(source);
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        if (this.hear(source)) this.tell(kind, JSON.parse(event.data));
      });
    }
    source.addEventListener("status", (event) => {
      if (!this.hear(source)) return;
      const { values } = JSON.parse(event.data) as { values: { redis?: string; error?: string } };
      const isRedisUp = (values.redis ?? "up") === "up";
      this.change({ isRedisUp, redisError: values.error ?? "", ...heard() });
    });
    source.addEventListener("ping", () => {
      if (this.hear(source)) this.change(heard());
    });
  }

  /** Note that *source* lives; whether it is still the one that counts. */
  private hear(source: EventSource): boolean {
    if (source !== this.source) return false;
    this.failures = 0;
    this.expectNews(source, SILENCE_MS);
    return true;
  }

  private expectNews(source: EventSource, withinMs: number): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.giveUp(source), withinMs);
  }

  /** Ask without a stream, and try another one later. */
  private giveUp(source: EventSource): void {
    if (source !== this.source) return;
    this.close();
    this.streamAgainAt = Date.now() + Math.min(AGAIN_AT_MOST_MS, AGAIN_MS * 2 ** this.failures);
    this.failures += 1;
    void this.poll();
  }

  private tell(kind: Kind, told: Told): void {
    const after = merged(this.live[kind] as Record<string, unknown>, told, kind === "tasks");
    const isLoaded = this.live.isLoaded || (kind === "queues" && told.is_snapshot);
    this.change({ [kind]: after, isLoaded, ...heard() } as Partial<Live>);
  }

  private async poll(): Promise<void> {
    clearTimeout(this.timer);
    if (this.isPaused || document.hidden || this.source) return;
    try {
      const signal = AbortSignal.timeout(POLL_PATIENCE_MS);
      const page = (cursor?: string) => ({ params: { query: { limit: 1000, cursor } }, signal });
      const [queues, servers, schedulers, jobs] = await Promise.all([
        all((cursor) => answer(api.GET("/api/v2/queues", page(cursor)))),
        all((cursor) => answer(api.GET("/api/v2/servers", page(cursor)))),
        all((cursor) => answer(api.GET("/api/v2/schedulers", page(cursor)))),
        answer(api.GET("/api/v2/jobs", { signal })),
      ]);
      if (this.isPaused || document.hidden || this.source) return;
      this.change({
        status: "polling",
        isRedisUp: true,
        redisError: "",
        heardAt: Date.now(),
        isLoaded: true,
        queues: byName(queues, (each) => each.queue),
        servers: byName(servers, (each) => each.id),
        schedulers: byName(schedulers, (each) => `${each.scheduler}/${each.id}`),
        jobs: byName(jobs.items, (each) => each.id),
      });
    } catch (error) {
      const status = (error as { status?: number }).status ?? 0;
      this.change(
        status === 503
          ? { status: "polling", isRedisUp: false, redisError: (error as Error).message }
          : { status: "lost" },
      );
    }
    if (this.isPaused || document.hidden || this.source) return;
    const left = this.streamAgainAt - Date.now();
    this.timer = setTimeout(() => (left < this.pollMs ? this.open() : void this.poll()), Math.min(left, this.pollMs));
  }
}

/** All items of all pages. */
async function all<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next_cursor: string | null }>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const found = await page(cursor);
    items.push(...found.items);
    cursor = found.next_cursor ?? undefined;
  } while (cursor);
  return items;
}

function byName<T>(items: T[], nameOf: (item: T) => string): Record<string, T> {
  return Object.fromEntries(items.map((item) => [nameOf(item), item]));
}

export const connection = new Connection();
