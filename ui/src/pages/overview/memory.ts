/** What the largest queues take in Redis, when somebody asks for it. */
import { useQuery } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import type { Memory } from "./rows";

/** Queues that are estimated at once. */
export const MOST_ESTIMATED = 100;

/** A pattern for *text* in which every special sign stands for itself, and letters for both of their cases. */
export const pattern = (text: string): string =>
  text.replaceAll(/[[*?]|\p{L}/gu, (sign) => {
    const both = new Set([sign.toLowerCase(), sign.toUpperCase()].filter((each) => each.length === sign.length));
    return `[${[...both.add(sign)].join("")}]`;
  });

export function useMemory(name: string | undefined) {
  return useQuery({
    queryKey: ["memory", name ?? ""],
    enabled: false,
    queryFn: async ({ signal }) => {
      const began = performance.now();
      const { items } = await answer(
        api.GET("/api/v2/queues", {
          params: {
            query: {
              memory: true,
              limit: MOST_ESTIMATED,
              sort: "size",
              descending: true,
              name: name ? `*${pattern(name)}*` : undefined,
            },
          },
          signal,
        }),
      );
      const byQueue: Memory = Object.fromEntries(items.map((queue) => [queue.queue, queue.memory_usage_bytes]));
      return {
        byQueue,
        total: items.reduce((sum, queue) => sum + (queue.memory_usage_bytes ?? 0), 0),
        seconds: (performance.now() - began) / 1000,
      };
    },
  });
}
