/** Groups of failures: how they are asked for, and put together from several answers. */
import { infiniteQueryOptions, keepPreviousData } from "@tanstack/react-query";
import { answer, api, type Filter, type Schemas, type TaskState } from "~/api/client";
import type { FailureSearch } from "~/routes";

export type Failure = Schemas["Failure"];

/** States of tasks that have failed. */
export const FAILED: readonly TaskState[] = ["retry", "archived"];

/** Groups of one answer. */
const MOST = 200;

/** What is looked for, without what is only looked at. */
export type FailureFilter = Pick<FailureSearch, "queue" | "type" | "state" | "since" | "until">;

export const failuresQuery = (filter: FailureFilter) =>
  infiniteQueryOptions({
    queryKey: ["failures", filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answer(api.GET("/api/v2/failures", { params: { query: { ...filter, limit: MOST, cursor: pageParam } }, signal })),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });

/** The groups of several answers, those that are alike as one; the largest first. */
export function merged(pages: readonly { items: readonly Failure[] }[]): Failure[] {
  const found = new Map<string, Failure>();
  for (const group of pages.flatMap((page) => page.items)) {
    const before = found.get(group.fingerprint);
    found.set(group.fingerprint, before ? together(before, group) : group);
  }
  return [...found.values()].sort((a, b) => b.count - a.count || (a.fingerprint < b.fingerprint ? -1 : 1));
}

function together(one: Failure, other: Failure): Failure {
  const isLater = (other.last_seen ?? "") > (one.last_seen ?? "");
  const latest = isLater ? other : one;
  const servers = added(one.servers, other.servers);
  return {
    ...latest,
    count: one.count + other.count,
    queues: added(one.queues, other.queues),
    types: added(one.types, other.types),
    states: added(one.states, other.states),
    servers,
    server_count: Math.max(known(servers).length, one.server_count, other.server_count),
    versions: added(one.versions, other.versions),
    first_seen: [one.first_seen, other.first_seen].filter((moment) => moment != null).sort()[0] ?? null,
    trend: one.trend.map((n, hour) => n + (other.trend[hour] ?? 0)),
  };
}

function added(one: Readonly<Record<string, number>>, other: Readonly<Record<string, number>>): Record<string, number> {
  const sums: Record<string, number> = { ...one };
  for (const [name, n] of Object.entries(other)) sums[name] = (sums[name] ?? 0) + n;
  return sums;
}

/** Names without the empty one, under which those are counted of whom nobody knows; the largest first. */
export const known = (counts: Readonly<Record<string, number>>): [string, number][] =>
  ranked(counts).filter(([name]) => name !== "");

/** Names and numbers, what nobody knows at the end. */
export const rankedWithUnknown = (counts: Readonly<Record<string, number>>): [string, number][] => [
  ...known(counts),
  ...Object.entries(counts).filter(([name]) => name === ""),
];

export function sorted(groups: readonly Failure[], by: FailureSearch["sort"]): Failure[] {
  if (by === "last") return groups.toSorted((a, b) => ((a.last_seen ?? "") < (b.last_seen ?? "") ? 1 : -1));
  if (by === "first") return groups.toSorted((a, b) => ((a.first_seen ?? "") > (b.first_seen ?? "") ? 1 : -1));
  return [...groups];
}

/** Names and numbers, the largest first. */
export const ranked = (counts: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(counts).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));

/** The filter of a job for the tasks of a group that are shown: not those that only look like them elsewhere. */
export const jobFilter = (fingerprint: string, { queue, type, state, since, until }: FailureFilter): Filter => ({
  fingerprint,
  queues: queue,
  states: state ?? [...FAILED],
  type,
  since,
  until,
});

/** The longest part of the text of a group that is the same in all its tasks, for `--error`. */
export function commonPart(group: Failure): string {
  const parts = group.text.split(/<(?:uuid|time|address|email|hex|text|number)>/).map((part) => part.trim());
  const longest = parts.reduce((best, part) => (part.length > best.length ? part : best), "");
  return longest || group.error_class;
}
