/** How fast queues work: what servers of Python write down by the minute, and what Prometheus knows where there is one. */
import { Alert, Group, SegmentedControl, Text } from "@mantine/core";
import { IconPlayerPause } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { metaQuery } from "~/api/queries";
import { Empty, Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { MultiSelect } from "~/components/selects";
import { command } from "~/lib/cli";
import { useIsLoaded, useLive, useQueues } from "~/live/hooks";
import { hasWork, useRates } from "~/pages/queue/parts/rates";
import type { MetricsSearch } from "~/routes";
import { metrics } from "~/strings/metrics";
import { Downloads } from "./Downloads";
import { History } from "./History";
import { Minutes } from "./Minutes";
import { busiest } from "./rows";

const route = getRouteApi("/q/metrics");

const MINUTES = [15, 60, 120] as const;
/** Redis keeps no more. */
const MOST_MINUTES = 120;
/** Queues at once: more lines than these cannot be told apart. */
const MOST_QUEUES = 12;
const SHOWN_UNASKED = 6;

export default function Metrics() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isLoaded = useIsLoaded();
  const queues = useQueues();
  const isHeldStill = useLive((live) => live.status === "paused");
  const minutes = Math.max(1, Math.min(Math.round(search.minutes ?? (search.duration ?? 3600) / 60), MOST_MINUTES));
  const all = Object.keys(queues).sort();
  // Chosen once: lines that come and go by themselves are hard to read.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when there is something to choose from
  const unasked = useMemo(() => busiest(Object.values(queues), SHOWN_UNASKED), [isLoaded, all.length]);
  const wanted = search.queue ?? unasked;
  // One that is gone, or that is not for whoever looks, is no reason to tell nothing of the others.
  const chosen = wanted.filter((queue) => queue in queues).slice(0, MOST_QUEUES);
  const missing = isLoaded ? wanted.filter((queue) => !(queue in queues)) : [];
  const { data: meta } = useQuery(metaQuery);
  const isHistory = meta?.prometheus === true && search.duration !== undefined;
  const found = useRates(isHistory ? [] : chosen, minutes);
  const working = found.rates.filter(hasWork);
  const silent = found.rates.filter((each) => !hasWork(each)).map((each) => each.queue);

  const change = (parts: MetricsSearch) =>
    void navigate({ search: (now) => ({ ...now, ...parts }), replace: true, resetScroll: false });
  const first = chosen[0] ?? "QUEUE";

  return (
    <>
      <PageHeader
        title={metrics.title}
        cli={[command("queue", "inspect", ...(chosen.length ? chosen : ["QUEUE"]), "--watch", 5), command("metrics")]}
        http={[
          isHistory
            ? `GET /api/v2/prometheus?queue=${encodeURIComponent(first)}&duration=${search.duration}`
            : `GET /api/v2/rates?queue=${encodeURIComponent(first)}&minutes=${minutes}`,
        ]}
        actions={!isHistory && <Downloads rates={found.rates} minutes={minutes} />}
      />
      {!isLoaded ? (
        <Loading lines={8} />
      ) : all.length === 0 ? (
        <Empty title={metrics.noQueues}>{metrics.noQueuesText}</Empty>
      ) : (
        <>
          <Group align="flex-start" gap="sm" mb="sm">
            <MultiSelect
              aria-label={metrics.queues}
              placeholder={search.queue ? undefined : metrics.choose}
              data={[...new Set([...all, ...chosen])]}
              value={search.queue ?? []}
              onChange={(queue) => change({ queue: queue.length ? queue : undefined })}
              maxValues={MOST_QUEUES}
              limit={50}
              searchable
              clearable
              nothingFoundMessage={metrics.nothingFits}
              style={{ flex: "1 1 260px", minWidth: 0 }}
              styles={{ pill: { maxWidth: "100%" }, pillsList: { minWidth: 0 } }}
            />
            {meta?.prometheus && (
              <SegmentedControl
                transitionDuration={0}
                aria-label={metrics.source}
                value={isHistory ? "prometheus" : "minutes"}
                onChange={(value) => change({ duration: value === "prometheus" ? 3600 : undefined, end: undefined })}
                data={[
                  { value: "minutes", label: metrics.sources.minutes },
                  { value: "prometheus", label: metrics.sources.prometheus },
                ]}
              />
            )}
            {!isHistory && (
              <SegmentedControl
                transitionDuration={0}
                aria-label={metrics.minutes}
                value={String(minutes)}
                onChange={(value) => change({ minutes: Number(value) === 60 ? undefined : Number(value) })}
                data={[...new Set<number>([...MINUTES, minutes])]
                  .sort((a, b) => a - b)
                  .map((each) => ({ value: String(each), label: metrics.minutesLabel(each) }))}
              />
            )}
          </Group>
          {!search.queue && all.length > unasked.length && (
            <Text size="sm" c="dimmed" mb="sm">
              {metrics.busiest(unasked.length, all.length)}
            </Text>
          )}
          {missing.length > 0 && (
            <Text size="sm" c="dimmed" mb="sm" style={{ overflowWrap: "anywhere" }}>
              {metrics.unknownQueues(missing.join(", "))}
            </Text>
          )}
          {meta?.prometheus === false && search.duration !== undefined && (
            <Text size="sm" c="dimmed" mb="sm">
              {metrics.noPrometheus}
            </Text>
          )}
          {isHistory ? (
            <History queues={chosen} />
          ) : (
            <>
              {isHeldStill && (
                <Alert color="blue" icon={<IconPlayerPause size={18} />} mb="sm" py="xs">
                  {metrics.paused}
                </Alert>
              )}
              {found.error !== undefined && found.error !== null && <Failed error={found.error} again={found.again} />}
              {working.length > 0 ? (
                <Minutes rates={working} />
              ) : found.isLoading ? (
                <Loading lines={8} />
              ) : (
                found.rates.length > 0 && <Empty title={metrics.nothing}>{metrics.nothingText}</Empty>
              )}
              {working.length > 0 && silent.length > 0 && (
                <Text size="sm" c="dimmed" mt="sm">
                  {metrics.silent(silent.join(", "))}
                </Text>
              )}
            </>
          )}
        </>
      )}
    </>
  );
}
