/** The largest queues by state, and what was processed today or by day. */
import {
  Anchor,
  Box,
  Group,
  Paper,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Text,
  Title,
  Tooltip,
  VisuallyHidden,
} from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { answer, api, type Queue } from "~/api/client";
import { Failed, Loading } from "~/components/Notice";
import { count, shortCount } from "~/lib/format";
import { changeSettings, type Settings, useSettings } from "~/lib/settings";
import { STATES } from "~/lib/states";
import { useOnChange, useQueues } from "~/live/hooks";
import { DayBars, FAILED, SUCCEEDED } from "~/pages/queue/parts/DayBars";
import { dayOf, withToday } from "~/pages/queue/parts/days";
import { Bar, StateBar, stateColor, stateText } from "~/pages/queue/parts/StateBar";
import { STATE_NAMES } from "~/strings/common";
import { overview } from "~/strings/overview";

const MOST_ROWS = 7;
const DAYS: readonly Settings["historyDays"][] = [1, 7, 30, 90];
/** What was processed is asked for anew at most so often, milliseconds. */
const DAYS_ANEW_MS = 30_000;

export function Charts() {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm" mb="md">
      <Sizes />
      <Work />
    </SimpleGrid>
  );
}

function Sizes() {
  const queues = Object.values(useQueues());
  const full = queues.filter((queue) => queue.size > 0).sort((a, b) => b.size - a.size);
  const rows = full.slice(0, MOST_ROWS);
  const largest = rows[0]?.size ?? 1;
  return (
    <Paper withBorder p="md" component="section" aria-label={overview.sizes.title}>
      <Title order={2} size="sm" mb="sm">
        {overview.sizes.title}
      </Title>
      {rows.length === 0 ? (
        <Text size="sm" c="dimmed">
          {overview.sizes.empty}
        </Text>
      ) : (
        <>
          <Group gap="sm" mb="sm" role="list" aria-label={overview.sizes.legend}>
            {STATES.filter((state) => queues.some((queue) => queue[state] > 0)).map((state) => (
              <Key
                key={state}
                color={stateColor(state)}
                label={STATE_NAMES[state]}
                value={shortCount(queues.reduce((sum, queue) => sum + queue[state], 0))}
              />
            ))}
          </Group>
          <Stack gap={8}>
            {rows.map((queue) => (
              <BarRow key={queue.queue} queue={queue.queue} hint={stateText(queue)} value={shortCount(queue.size)}>
                <StateBar counts={queue} share={queue.size / largest} height={14} />
              </BarRow>
            ))}
          </Stack>
          {full.length > rows.length && (
            <Text size="xs" c="dimmed" mt="sm">
              {overview.sizes.more(full.length - rows.length)}
            </Text>
          )}
        </>
      )}
    </Paper>
  );
}

function Key({ color, label, value }: { color: string; label: string; value?: string }) {
  return (
    <Group gap={6} wrap="nowrap" role="listitem">
      <span aria-hidden style={{ width: 10, height: 10, borderRadius: 3, background: color }} />
      <Text size="xs" span>
        {label}{" "}
        {value !== undefined && (
          <Text span size="xs" c="dimmed">
            {value}
          </Text>
        )}
      </Text>
    </Group>
  );
}

/** A bar that leads to its queue. */
function BarRow({ queue, hint, value, children }: { queue: string; hint: string; value: string; children: ReactNode }) {
  return (
    <Tooltip label={hint} position="bottom" multiline maw={320}>
      <Anchor
        size="sm"
        c="inherit"
        underline="never"
        renderRoot={(props) => <Link to="/queues/$queue" params={{ queue }} {...props} />}
      >
        <Group gap="sm" wrap="nowrap">
          <Text size="sm" truncate w={{ base: 96, xl: 150 }} style={{ flex: "none" }}>
            {queue}
          </Text>
          <VisuallyHidden>{hint}</VisuallyHidden>
          <Box style={{ flex: 1, minWidth: 0 }}>{children}</Box>
          <Text aria-hidden size="sm" ta="right" w={52} style={{ flex: "none", fontVariantNumeric: "tabular-nums" }}>
            {value}
          </Text>
        </Group>
      </Anchor>
    </Tooltip>
  );
}

function Work() {
  const { historyDays } = useSettings();
  return (
    <Paper withBorder p="md" component="section" aria-label={overview.work.title}>
      <Group justify="space-between" mb="sm" gap="xs">
        <Title order={2} size="sm">
          {overview.work.title}
        </Title>
        <SegmentedControl
          transitionDuration={0}
          size="xs"
          aria-label={overview.work.days}
          value={String(historyDays)}
          onChange={(value) => changeSettings({ historyDays: Number(value) as Settings["historyDays"] })}
          data={DAYS.map((days) => ({ value: String(days), label: overview.work.day(days) }))}
        />
      </Group>
      <Group gap="sm" mb={6} role="list" aria-label={overview.work.title}>
        <Key color={SUCCEEDED} label={overview.work.succeeded} />
        <Key color={FAILED} label={overview.work.failed} />
      </Group>
      {historyDays === 1 ? <Today /> : <Days days={historyDays} />}
    </Paper>
  );
}

function Today() {
  const worked: Queue[] = Object.values(useQueues())
    .filter((queue) => queue.processed_today > 0)
    .sort((a, b) => b.processed_today - a.processed_today)
    .slice(0, MOST_ROWS);
  const most = worked[0]?.processed_today ?? 1;
  if (worked.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {overview.work.none}
      </Text>
    );
  }
  return (
    <Stack gap={8} mt="sm">
      {worked.map(({ queue, processed_today, failed_today }) => (
        <BarRow
          key={queue}
          queue={queue}
          value={shortCount(processed_today)}
          hint={overview.work.todayRow(count(processed_today - failed_today), count(failed_today))}
        >
          <Bar
            height={14}
            share={processed_today / most}
            parts={[
              { key: "succeeded", color: SUCCEEDED, value: processed_today - failed_today },
              { key: "failed", color: FAILED, value: failed_today },
            ]}
          />
        </BarRow>
      ))}
    </Stack>
  );
}

function Days({ days }: { days: number }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["history of all", days],
    queryFn: ({ signal }) => answer(api.GET("/api/v2/history", { params: { query: { days } }, signal })),
    staleTime: DAYS_ANEW_MS,
    placeholderData: keepPreviousData,
  });
  const queues = Object.values(useQueues());
  const processed = queues.reduce((sum, queue) => sum + queue.processed_total, 0);
  useOnChange(processed, () => void refetch(), DAYS_ANEW_MS);
  if (error && !data) return <Failed error={error} again={() => void refetch()} />;
  if (!data) return <Loading lines={5} />;
  const isOfAll = data.queues === data.total_queues;
  return (
    <>
      <DayBars
        days={isOfAll ? withToday(data.items, queues, dayOf(new Date())) : data.items}
        label={overview.work.label(days)}
      />
      {!isOfAll && (
        <Text size="xs" c="dimmed">
          {overview.work.covered(data.queues, data.total_queues)}
        </Text>
      )}
    </>
  );
}
