/** What servers of Python have written down by the minute: sums, charts, rows by queue and type. */
import { Anchor, Paper, SimpleGrid, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { count, percent, rate, shortCount, span } from "~/lib/format";
import { useQueues } from "~/live/hooks";
import type { Rates } from "~/pages/queue/parts/rates";
import { Stat } from "~/pages/queue/parts/Stat";
import { metrics } from "~/strings/metrics";
import { queueText } from "~/strings/queue";
import { QueueLines } from "./QueueLines";
import { RatesTable } from "./RatesTable";
import { ended, type Measure, queueRow, rateFormat, series, typeRows } from "./rows";

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

const text = metrics.charts;
/** A rate is written in the unit that suits its lines. */
const CHARTS: readonly { measure: Measure; title: string; hint: string; format?: (value: number) => string }[] = [
  { measure: "throughput", title: text.throughput, hint: text.throughputHint },
  { measure: "failures", title: text.failures, hint: text.failuresHint, format: shortCount },
  { measure: "error_rate", title: text.errorRate, hint: text.errorRateHint, format: percent },
  { measure: "depth", title: text.depth, hint: text.depthHint, format: shortCount },
  { measure: "waited_p50", title: text.waitedP50, hint: text.waitedHint, format: span },
  { measure: "waited_p99", title: text.waitedP99, hint: text.waitedHint, format: span },
  { measure: "ran_p50", title: text.ranP50, hint: text.ranHint, format: span },
  { measure: "ran_p99", title: text.ranP99, hint: text.ranHint, format: span },
];

/** Everything that servers have written down of *rates*. */
export function Minutes({ rates }: { rates: Rates[] }) {
  const queues = useQueues();
  const rows = rates.map(queueRow);
  const types = typeRows(rates);
  return (
    <>
      <Totals rates={rates} />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm" mb="sm">
        {CHARTS.map(({ measure, title, hint, format }) => {
          const { times, lines } = series(rates, measure);
          return (
            <QueueLines
              key={measure}
              label={metrics.charts.label(title, Object.keys(lines).join(", "))}
              title={title}
              hint={hint}
              times={times}
              lines={lines}
              format={format ?? rateFormat(lines)}
            />
          );
        })}
      </SimpleGrid>
      <Part title={metrics.tables.queues}>
        <RatesTable
          label={metrics.tables.queues}
          rows={rows}
          keyOf={(row) => row.queue}
          minWidth={900}
          columns={{
            queue: (queue) => (
              <Anchor
                size="sm"
                title={queue}
                truncate
                display="block"
                maw={220}
                renderRoot={(props) => <Link to="/queues/$queue" params={{ queue }} {...props} />}
              >
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
            waited_p50: seconds,
            waited_p99: seconds,
            ran_p50: seconds,
            ran_p99: seconds,
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

function Totals({ rates }: { rates: Rates[] }) {
  const text = metrics.totals;
  const sum = (value: (each: Rates) => number) => rates.reduce((all, each) => all + value(each), 0);
  const failed = sum((each) => ended(each).failed);
  const done = sum((each) => ended(each).succeeded) + failed;
  const observed = span(Math.round(Math.max(...rates.map((each) => each.observed_seconds))));
  const telling = rates.filter((each) => each.arrivals_per_second !== null);
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm" mb="sm">
      <Stat label={text.throughput} value={rate(sum((each) => each.services_per_second))} about={text.over(observed)} />
      <Stat
        label={text.arrivals}
        value={telling.length ? rate(telling.reduce((all, each) => all + (each.arrivals_per_second ?? 0), 0)) : "–"}
        about={telling.length === rates.length ? text.over(observed) : telling.length ? text.partly : text.unknown}
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

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" mb="sm" component="section" aria-label={title} style={{ minWidth: 0 }}>
      <Title order={2} size="sm" mb="xs">
        {title}
      </Title>
      {children}
    </Paper>
  );
}
