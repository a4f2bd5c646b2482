/** Live values in components; each re-renders only for what it asks for. */
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Job, Queue, SchedulerEntry, ServerInfo, Task } from "~/api/client";
import { connection, type Live, taskName } from "./connection";

/** A part of what is known; *select* must give back the same object while nothing has changed. */
export function useLive<T>(select: (live: Live) => T): T {
  return useSyncExternalStore(connection.subscribe, () => select(connection.get()));
}

/** All queues by name; empty before the first news (see `useIsLoaded`). */
export const useQueues = (): Readonly<Record<string, Queue>> => useLive((live) => live.queues);
/** One queue; undefined where there is none of that name. */
export const useQueue = (name: string): Queue | undefined => useLive((live) => live.queues[name]);
export const useServers = (): Readonly<Record<string, ServerInfo>> => useLive((live) => live.servers);
export const useSchedulers = (): Readonly<Record<string, SchedulerEntry>> => useLive((live) => live.schedulers);
export const useJobs = (): Readonly<Record<string, Job>> => useLive((live) => live.jobs);
/** Whether queues, servers and schedulers are known at all. */
export const useIsLoaded = (): boolean => useLive((live) => live.isLoaded);

/** One task as it changes: undefined before it is heard of, null when it is gone. */
export function useWatchedTask(queue: string, id: string): Task | null | undefined {
  useEffect(() => connection.watch(queue, id), [queue, id]);
  return useLive((live) => live.tasks[taskName(queue, id)]);
}

/** Answers of the server are shared for three quarters of a second: one that is asked for sooner may be older than the news. */
const SHARED_MS = 800;

/** Calls *then* when *value* has changed, at most once in *everyMs* (the last change is never missed). */
export function useOnChange(value: unknown, then: () => void, everyMs = 1_000): void {
  const first = useRef(true);
  const lastAt = useRef(0);
  const call = useRef(then);
  call.current = then;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the value is the reason, though it is not used
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const wait = Math.max(SHARED_MS, lastAt.current + everyMs - Date.now());
    const timer = setTimeout(() => {
      lastAt.current = Date.now();
      call.current();
    }, wait);
    return () => clearTimeout(timer);
  }, [value, everyMs]);
}
