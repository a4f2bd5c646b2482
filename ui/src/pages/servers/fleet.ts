/** What can be said of all servers together. Pure. */
import type { Queue, ServerInfo } from "~/api/client";

export const nameOf = (server: ServerInfo): string => `${server.host}:${server.pid}`;
export const isPython = (server: ServerInfo): boolean => server.speaks === "python";

/** Queues of a server, those with the highest priority first. */
export const byPriority = (server: ServerInfo): [string, number][] =>
  Object.entries(server.queues).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));

export interface Fleet {
  python: number;
  other: number;
  busy: number;
  slots: number;
  stopped: ServerInfo[];
  /** Queues that have tasks to be worked on, or may get them, and no server. */
  unserved: Queue[];
  /** Tasks that are ready in queues that are served. */
  waiting: number;
  served: number;
}

export function fleetOf(servers: readonly ServerInfo[], queues: readonly Queue[]): Fleet {
  const working = servers.filter((server) => server.status !== "stopped" && server.status !== "closed");
  const served = new Set(working.flatMap((server) => Object.keys(server.queues)));
  const sum = (numbers: number[]) => numbers.reduce((all, n) => all + n, 0);
  return {
    python: servers.filter(isPython).length,
    other: servers.filter((server) => !isPython(server)).length,
    busy: sum(servers.map((server) => server.busy)),
    slots: sum(servers.map((server) => server.concurrency)),
    stopped: servers.filter((server) => !working.includes(server)),
    unserved: queues
      .filter((queue) => !served.has(queue.queue))
      .sort((a, b) => waitingIn(b) - waitingIn(a) || (a.queue < b.queue ? -1 : 1)),
    waiting: sum(queues.filter((queue) => served.has(queue.queue) && !queue.paused).map((queue) => queue.pending)),
    served: served.size,
  };
}

/** Tasks that would run if somebody served the queue. */
export const waitingIn = (queue: Queue): number => queue.pending + queue.scheduled + queue.retry + queue.aggregating;

const ORDERS: Readonly<Record<string, (a: ServerInfo, b: ServerInfo) => number>> = {
  server: (a, b) => compare(a.host, b.host) || a.pid - b.pid,
  speaks: (a, b) => compare(a.speaks, b.speaks),
  status: (a, b) => compare(a.status, b.status),
  started: (a, b) => compare(a.started, b.started),
  queues: (a, b) => Object.keys(a.queues).length - Object.keys(b.queues).length,
  busy: (a, b) => a.busy / Math.max(a.concurrency, 1) - b.busy / Math.max(b.concurrency, 1) || a.busy - b.busy,
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Those that *name* fits, in order; equal ones by host and process. */
export function listed(
  servers: readonly ServerInfo[],
  { name = "", sort = "server", descending = false }: { name?: string; sort?: string; descending?: boolean },
): ServerInfo[] {
  const word = name.toLowerCase();
  const order = ORDERS[sort] ?? ORDERS.server;
  return servers
    .filter(
      (server) =>
        !word ||
        [nameOf(server), server.id, ...Object.keys(server.queues), ...(server.handles ?? [])].some((each) =>
          each.toLowerCase().includes(word),
        ),
    )
    .sort((a, b) => (descending ? -1 : 1) * (order?.(a, b) ?? 0) || (ORDERS.server?.(a, b) ?? 0));
}
