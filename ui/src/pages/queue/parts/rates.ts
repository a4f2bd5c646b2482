/** Rates of queues, asked for anew while live data flows, and not while somebody holds it still. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Schemas } from "~/api/client";
import { ratesQuery } from "~/api/queries";
import { useLive } from "~/live/hooks";

export type Rates = Schemas["Rates"];
export type Percentiles = Schemas["Percentiles"];

const ANEW_MS = 10_000;

export interface FoundRates {
  /** In the order that was asked for; none before there is an answer. */
  rates: Rates[];
  error: unknown;
  isLoading: boolean;
  again: () => void;
}

export function useRates(queues: readonly string[], minutes: number): FoundRates {
  const isFlowing = useLive((live) => live.status === "live" || live.status === "polling");
  const { data, error, isLoading, refetch } = useQuery({
    ...ratesQuery(queues, minutes),
    refetchInterval: isFlowing ? ANEW_MS : false,
    placeholderData: keepPreviousData,
  });
  // While a new choice is being read, what is known of it already.
  const rates = (data ?? []).filter((each) => each.minutes === minutes && queues.includes(each.queue));
  return { rates, error, isLoading, again: () => void refetch() };
}

/** Whether a server has written down anything at all. */
export const hasWork = (rates: Rates): boolean => rates.patterns.length > 0;
