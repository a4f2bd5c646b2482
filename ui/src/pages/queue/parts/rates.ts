/** Rates of queues, asked for anew while live data flows, and not while somebody holds it still. */
import { useQueries } from "@tanstack/react-query";
import type { Schemas } from "~/api/client";
import { ratesQuery } from "~/api/queries";
import { useLive } from "~/live/hooks";

export type Rates = Schemas["Rates"];
export type Percentiles = Schemas["Percentiles"];

const ANEW_MS = 10_000;

export interface FoundRates {
  /** Of those queues that have answered, in the order that was asked for. */
  rates: Rates[];
  /** Of the first that could not be read. */
  error: unknown;
  isLoading: boolean;
  again: () => void;
}

export function useRates(queues: readonly string[], minutes: number): FoundRates {
  const isFlowing = useLive((live) => live.status === "live" || live.status === "polling");
  const found = useQueries({
    queries: queues.map((queue) => ({
      ...ratesQuery(queue, minutes),
      refetchInterval: isFlowing ? ANEW_MS : (false as const),
    })),
  });
  return {
    rates: found.map((each) => each.data).filter((each) => each !== undefined),
    error: found.find((each) => each.error)?.error,
    isLoading: found.some((each) => each.isLoading),
    again: () => {
      for (const each of found) void each.refetch();
    },
  };
}

/** Whether a server has written down anything at all. */
export const hasWork = (rates: Rates): boolean => rates.patterns.length > 0;
