/** How fast queues work, without Prometheus: from what servers of Python write down by the minute. */
import {
  Alert,
  Anchor,
  Button,
  Group,
  Menu,
  MultiSelect,
  Paper,
  SegmentedControl,
  SimpleGrid,
  Text,
  Title,
} from "@mantine/core";
import { IconDownload, IconPlayerPause } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { Chart } from "~/components/Chart";
import { Empty, Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { command } from "~/lib/cli";
import { count, percent, rate, shortCount, span } from "~/lib/format";
import { useIsLoaded, useLive, useQueues } from "~/live/hooks";
import { hasWork, type Rates, useRates } from "~/pages/queue/parts/rates";
import { Stat } from "~/pages/queue/parts/Stat";
import { metrics } from "~/strings/metrics";
import { queueText } from "~/strings/queue";
import { RatesTable } from "./RatesTable";
import { busiest, csv, ended, type Measure, minuteRows, queueRow, series, typeRows } from "./rows";

const route = getRouteApi("/q/metrics");

const MINUTES = [15, 60, 120] as const;
/** Redis keeps no more. */
const MOST_MINUTES = 120;
/** Queues at once: more lines than these cannot be told apart. */
const MOST_QUEUES = 12;
const SHOWN_UNASKED = 6;
const LINES = ["blue", "orange", "teal", "grape", "red", "lime", "cyan", "pink", "indigo", "yellow", "green", "violet"];

export default function Metrics() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isLoaded = useIsLoaded();
  const queues = useQueues();
  const isHeldStill = useLive((live) => live.status === "paused");
  const minutes = Math.min(Math.round(search.minutes ?? 60), MOST_MINUTES);
  const all = Object.keys(queues).sort();
  // Chosen once: lines that come and go by themselves are hard to read.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when there is something to choose from
  const unasked = useMemo(() => busiest(Object.values(queues), SHOWN_UNASKED), [isLoaded, all.length]);
  const chosen = (search.queue ?? unasked).slice(0, MOST_QUEUES);
  const found = useRates(chosen, minutes);
  const working = found.rates.filter(hasWork);
  const silent = found.rates.filter((each) => !hasWork(each)).map((each) => each.queue);

  const change = (parts: { queue?: string[]; minutes?: number }) =>
    void navigate({ search: (now) => ({ ...now, ...parts }), replace: true, resetScroll: false });
  const first = chosen[0] ?? "QUEUE";

  return (
    <>
      <PageHeader
        title={metrics.title}
        cli={[command("queue", "inspect", ...(chosen.length ? chosen : ["QUEUE"]), "--watch", 5), command("metrics")]}
        http={[`GET /api/v2/rates?queue=${encodeURIComponent(first)}&minutes=${minutes}`]}
        actions={<Downloads rates={found.rates} minutes={minutes} />}
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
              style={{ flex: "1 1 260px" }}
            />
            <SegmentedControl
              transitionDuration={0}
              aria-label={metrics.minutes}
              value={String(minutes)}
              onChange={(value) => change({ minutes: Number(value) === 60 ? undefined : Number(value) })}
              data={[...new Set<number>([...MINUTES, minutes])]
                .sort((a, b) => a - b)
                .map((each) => ({ value: String(each), label: metrics.minutesLabel(each) }))}
            />
          </Group>
          {!search.queue && all.length > unasked.length && (
            <Text size="sm" c="dimmed" mb="sm">
              {metrics.busiest(unasked.length, all.length)}
            </Text>
          )}
          {isHeldStill && (
            <Alert color="blue" icon={<IconPlayerPause size={18} />} mb="sm" py="xs">
              {metrics.paused}
            </Alert>
          )}
          {found.error !== undefined && found.error !== null && <Failed error={found.error} again={found.again} />}
          {working.length > 0 ? (
            <Work rates={working} minutes={minutes} />
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
  );
}

const seconds = (value: number | null): string => (value === null ? "–" : span(value));
const share = (value: number | null): string => (value === null ? "–" : percent(value));

const QUANTILES = {
  waited_p50: seconds,
  waited_p90: seconds,
  waited_p99: seconds,
  ran_p50: seconds,
  ran_p90: seconds,
  ran_p99: seconds,
};

function Work({ rates, minutes }: { rates: Rates[]; minutes: number }) {
  const queues = useQueues();
  const rows = rates.map(queueRow);
  const types = typeRows(rates);
  return (
    <>
      <Totals rates={rates} minutes={minutes} />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm" mb="sm">
        <Lines
          rates={rates}
          measure="throughput"
          title={metrics.charts.throughput}
          hint={metrics.charts.throughputHint}
          format={rate}
        />
        <Lines
          rates={rates}
          measure="failures"
          title={metrics.charts.failures}
          hint={metrics.charts.failuresHint}
          format={shortCount}
        />
        <Lines
          rates={rates}
          measure="error_rate"
          title={metrics.charts.errorRate}
          hint={metrics.charts.errorRateHint}
          format={percent}
        />
        <Lines
          rates={rates}
          measure="depth"
          title={metrics.charts.depth}
          hint={metrics.charts.depthHint}
          format={shortCount}
        />
      </SimpleGrid>
      <Part title={metrics.tables.queues}>
        <RatesTable
          label={metrics.tables.queues}
          rows={rows}
          keyOf={(row) => row.queue}
          minWidth={1040}
          columns={{
            queue: (queue) => (
              <Anchor size="sm" renderRoot={(props) => <Link to="/queues/$queue" params={{ queue }} {...props} />}>
                {queue}
              </Anchor>
            ),
            arrivals: (value) => (value === null ? "–" : rate(value)),
            starts: rate,
            services: rate,
            failed: count,
            error_rate: share,
            depth: count,
            to_empty: (value, row) =>
              row.depth === 0
                ? "–"
                : queues[row.queue]?.paused
                  ? queueText.paused
                  : value !== null
                    ? span(value)
                    : row.arrivals === null
                      ? queueText.unknown
                      : queueText.neverEmpty,
            ...QUANTILES,
          }}
        />
      </Part>
      <Part title={metrics.tables.types}>
        <RatesTable
          label={metrics.tables.types}
          rows={types}
          keyOf={(row) => `${row.queue} ${row.type}`}
          minWidth={900}
          columns={{
            type: (type) => <span className="mono">{type}</span>,
            queue: String,
            started: count,
            succeeded: count,
            failed: count,
            error_rate: share,
            ...QUANTILES,
          }}
        />
        <Text size="xs" c="dimmed">
          {metrics.tables.hint}
        </Text>
      </Part>
    </>
  );
}

function Totals({ rates, minutes }: { rates: Rates[]; minutes: number }) {
  const text = metrics.totals;
  const sum = (value: (each: Rates) => number) => rates.reduce((all, each) => all + value(each), 0);
  const failed = sum((each) => ended(each).failed);
  const done = sum((each) => ended(each).succeeded) + failed;
  const telling = rates.filter((each) => each.arrivals_per_second !== null);
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm" mb="sm">
      <Stat
        label={text.throughput}
        value={rate(sum((each) => each.services_per_second))}
        about={text.over(metrics.minutesLabel(minutes))}
      />
      <Stat
        label={text.arrivals}
        value={telling.length ? rate(telling.reduce((all, each) => all + (each.arrivals_per_second ?? 0), 0)) : "–"}
        about={
          telling.length === rates.length
            ? text.over(metrics.minutesLabel(minutes))
            : telling.length
              ? text.partly
              : text.unknown
        }
      />
      <Stat
        label={text.failures}
        value={shortCount(failed)}
        color={failed > 0 ? "red" : undefined}
        about={text.of(shortCount(done))}
      />
      <Stat label={text.errorRate} value={done > 0 ? percent(failed / done) : "–"} about={text.of(shortCount(done))} />
      <Stat label={text.depth} value={shortCount(sum((each) => each.depth))} />
    </SimpleGrid>
  );
}

function Part({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" mb="sm" component="section" aria-label={title} style={{ minWidth: 0 }}>
      <Group gap="xs" mb="xs" align="baseline">
        <Title order={2} size="sm">
          {title}
        </Title>
        {hint && (
          <Text size="xs" c="dimmed">
            {hint}
          </Text>
        )}
      </Group>
      {children}
    </Paper>
  );
}

interface LinesProps {
  rates: Rates[];
  measure: Measure;
  title: string;
  hint: string;
  format: (value: number) => string;
}

function Lines({ rates, measure, title, hint, format }: LinesProps) {
  const { times, lines } = series(rates, measure);
  return (
    <Paper withBorder p="md" component="section" aria-label={title} style={{ minWidth: 0 }}>
      <Group gap="xs" mb="xs" align="baseline">
        <Title order={2} size="sm">
          {title}
        </Title>
        <Text size="xs" c="dimmed">
          {hint}
        </Text>
      </Group>
      <Chart
        label={metrics.charts.label(title, Object.keys(lines).join(", "))}
        height={180}
        times={times}
        format={format}
        lines={Object.entries(lines).map(([queue, values], i) => ({
          label: queue,
          color: LINES[i % LINES.length] ?? "blue",
          values,
        }))}
      />
    </Paper>
  );
}

function Downloads({ rates, minutes }: { rates: Rates[]; minutes: number }) {
  const text = metrics.downloads;
  const save = (name: string, type: string, content: string) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = `asynqpy-${name}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
  };
  const saveTable = (name: string, rows: Parameters<typeof csv>[0]) => save(`${name}.csv`, "text/csv", csv(rows));
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="sm" variant="default" leftSection={<IconDownload size={16} />} disabled={rates.length === 0}>
          {metrics.download}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => saveTable("queues", rates.map(queueRow))}>{text.queues}</Menu.Item>
        <Menu.Item onClick={() => saveTable("types", typeRows(rates))}>{text.types}</Menu.Item>
        <Menu.Item onClick={() => saveTable("minutes", minuteRows(rates))}>{text.minutes}</Menu.Item>
        <Menu.Item
          onClick={() =>
            save("rates.json", "application/json", JSON.stringify({ at: new Date(), minutes, rates }, null, 2))
          }
        >
          {text.all}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
