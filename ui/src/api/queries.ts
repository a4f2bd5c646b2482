/** What pages read, as options of TanStack Query: the same key wherever the same is asked. */
import { QueryClient, queryOptions } from "@tanstack/react-query";
import { ApiError, answer, api } from "./client";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // Once more after a broken connection; what the server has refused it will refuse again.
      retry: (failures, error) =>
        failures < 1 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
      retryDelay: 500,
      refetchOnWindowFocus: false, // live data says when to ask again
    },
  },
});

/** Who asks, what is allowed, which action each state allows. */
export const metaQuery = queryOptions({
  queryKey: ["meta"],
  queryFn: () => answer(api.GET("/api/v2/meta")),
  staleTime: Number.POSITIVE_INFINITY,
});

/** Everything about one task. */
export const taskQuery = (queue: string, taskId: string) =>
  queryOptions({
    queryKey: ["task", queue, taskId],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v2/queues/{queue}/tasks/{task_id}", { params: { path: { queue, task_id: taskId } }, signal }),
      ),
  });

/** How fast queues work, one by one. */
export const ratesQuery = (queues: readonly string[], minutes: number) =>
  queryOptions({
    queryKey: ["rates", minutes, ...queues],
    enabled: queues.length > 0,
    queryFn: async ({ signal }) => {
      const query = { queue: [...queues], minutes, limit: queues.length };
      return (await answer(api.GET("/api/v2/rates", { params: { query }, signal }))).queues;
    },
  });

/** What Prometheus knows of queues, *duration* seconds up to *end*. */
export const prometheusQuery = (queues: readonly string[], duration: number, end: number | undefined) =>
  queryOptions({
    queryKey: ["prometheus", duration, end, ...queues],
    enabled: queues.length > 0,
    queryFn: ({ signal }) => {
      const query = { queue: [...queues], duration, end, limit: queues.length };
      return answer(api.GET("/api/v2/prometheus", { params: { query }, signal }));
    },
  });

/** What a queue did each day, the newest first. */
export const historyQuery = (queue: string, days: number) =>
  queryOptions({
    queryKey: ["history", queue, days],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v2/queues/{queue}/history", { params: { path: { queue }, query: { days } }, signal })),
    staleTime: 30_000,
  });
