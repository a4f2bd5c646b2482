/** The nine charts of asynqmon: what Prometheus has collected, over any time. */
import { ActionIcon, Alert, Button, Group, SegmentedControl, SimpleGrid, Text, TextInput } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconPlayerPause } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Schemas } from "~/api/client";
import { prometheusQuery } from "~/api/queries";
import { Failed, Loading } from "~/components/Notice";
import { Select } from "~/components/selects";
import { absolute, bytes, percent, shortCount, span } from "~/lib/format";
import { useSettings } from "~/lib/settings";
import { useLive } from "~/live/hooks";
import { metrics } from "~/strings/metrics";
import { DURATIONS, durationText, fieldOf, momentOf, moved, parseDuration, within } from "./history";
import { QueueLines } from "./QueueLines";
import { rateFormat } from "./rows";

const route = getRouteApi("/q/metrics");
const text = metrics.history;

type Name = keyof typeof text.charts;
/** A rate is written in the unit that suits its lines. */
const FORMATS: Readonly<Record<Name, ((value: number) => string) | undefined>> = {
  tasks_processed_per_second: undefined,
  tasks_failed_per_second: undefined,
  error_rate: percent,
  queue_size: shortCount,
  queue_latency_seconds: span,
  queue_memory_usage_approx_bytes: bytes,
  pending_tasks_by_queue: shortCount,
  retry_tasks_by_queue: shortCount,
  archived_tasks_by_queue: shortCount,
};
const NAMES = Object.keys(FORMATS) as Name[];
const ANEW_MS = 15_000;

export function History({ queues }: { queues: readonly string[] }) {
  const search = route.useSearch();
  const duration = within(search.duration ?? 3600);
  const end = search.end !== undefined && search.end < Date.now() / 1000 ? Math.floor(search.end) : undefined;
  const isFlowing = useLive((live) => live.status === "live" || live.status === "polling");
  const isHeldStill = useLive((live) => live.status === "paused");
  const { data, error, refetch } = useQuery({
    ...prometheusQuery(queues, duration, end),
    refetchInterval: end === undefined && isFlowing ? ANEW_MS : false,
    placeholderData: keepPreviousData,
  });
  return (
    <>
      <Window key={duration} duration={duration} end={end} />
      {isHeldStill && end === undefined && (
        <Alert color="blue" icon={<IconPlayerPause size={18} />} mb="sm" py="xs">
          {text.held}
        </Alert>
      )}
      {error && <Failed error={error} again={() => void refetch()} />}
      {data ? <Charts found={data} /> : !error && queues.length > 0 && <Loading lines={8} />}
    </>
  );
}

function Charts({ found }: { found: Schemas["PrometheusHistory"] }) {
  const { timeZone } = useSettings();
  const [first, last] = [found.times[0] ?? found.end, found.end].map((at) => absolute(new Date(at * 1000), timeZone));
  return (
    <>
      <Text size="sm" c="dimmed" mb="sm">
        {text.from(first ?? "", last ?? "")} · {text.step(durationText(found.step))}
      </Text>
      <SimpleGrid cols={{ base: 1, lg: 2, xl: 3 }} spacing="sm" mb="sm">
        {NAMES.map((name) => {
          const { lines = {}, error } = found.charts[name] ?? {};
          const { title, hint } = text.charts[name];
          return (
            <QueueLines
              key={name}
              label={text.label(title, Object.keys(lines).join(", "))}
              title={title}
              hint={hint}
              times={found.times}
              lines={lines}
              format={FORMATS[name] ?? rateFormat(lines)}
              error={error}
            />
          );
        })}
      </SimpleGrid>
    </>
  );
}

const SHIFTS = [300, 900, 1800, 3600, 7200];

/** Which time is shown: how much, until when, and on to what was before or after. */
function Window({ duration, end }: { duration: number; end: number | undefined }) {
  const navigate = route.useNavigate();
  const { timeZone } = useSettings();
  const [own, setOwn] = useState("");
  const shown = end === undefined ? "" : fieldOf(end, timeZone);
  const [until, setUntil] = useState(shown);
  const moment = momentOf(until, timeZone);
  const [shift, setShift] = useState<number>();
  const change = (parts: { duration?: number; end?: number }) =>
    void navigate({ search: (now) => ({ ...now, duration, ...parts }), replace: true, resetScroll: false });
  const move = (by: number) => change({ end: moved(end, by, Date.now() / 1000) });
  useEffect(() => setUntil(shown), [shown]);
  const goTo = () => {
    if (until !== shown && (until === "" || moment !== undefined)) change({ end: moment });
  };
  const by = durationText(shift ?? duration);
  const parsed = parseDuration(own);
  const label = (seconds: number) => text.durations[seconds] ?? durationText(seconds);
  return (
    <Group gap="sm" mb="sm" align="flex-start">
      <SegmentedControl
        transitionDuration={0}
        aria-label={text.duration}
        value={String(duration)}
        onChange={(value) => change({ duration: Number(value) })}
        data={[...new Set<number>([...DURATIONS, duration])]
          .sort((a, b) => a - b)
          .map((each) => ({ value: String(each), label: label(each) }))}
      />
      <TextInput
        aria-label={text.custom}
        placeholder={text.customHint}
        value={own}
        w={120}
        error={own !== "" && parsed === undefined ? text.wrongDuration : undefined}
        onChange={(event) => setOwn(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && parsed !== undefined && change({ duration: parsed })}
        onBlur={() => parsed !== undefined && change({ duration: parsed })}
      />
      <Group gap={6} wrap="nowrap">
        <ActionIcon
          variant="default"
          size={36}
          aria-label={text.earlier(by)}
          onClick={() => move(-(shift ?? duration))}
        >
          <IconChevronLeft size={16} />
        </ActionIcon>
        <Select
          aria-label={text.shift}
          w={132}
          value={shift === undefined ? "all" : String(shift)}
          onChange={(value) => setShift(value === null || value === "all" ? undefined : Number(value))}
          allowDeselect={false}
          data={[
            { value: "all", label: text.shiftAll },
            ...SHIFTS.map((each) => ({ value: String(each), label: durationText(each) })),
          ]}
        />
        <ActionIcon
          variant="default"
          size={36}
          aria-label={text.later(by)}
          disabled={end === undefined}
          onClick={() => move(shift ?? duration)}
        >
          <IconChevronRight size={16} />
        </ActionIcon>
      </Group>
      <Group gap={6} wrap="nowrap">
        <TextInput
          aria-label={`${text.end}${timeZone === "utc" ? " (UTC)" : ""}`}
          placeholder={text.endHint}
          w={160}
          value={until}
          error={until !== "" && moment === undefined ? text.wrongEnd : undefined}
          onChange={(event) => setUntil(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Enter" && goTo()}
          onBlur={goTo}
        />
        <Button variant="default" disabled={end === undefined} onClick={() => change({ end: undefined })}>
          {text.now}
        </Button>
      </Group>
    </Group>
  );
}
