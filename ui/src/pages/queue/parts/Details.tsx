/** What is known of a queue beyond its numbers: rates, forecast, percentiles, types, days, servers. */
import {
  Anchor,
  Badge,
  Code,
  Group,
  Paper,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Queue, ServerInfo } from "~/api/client";
import { historyQuery } from "~/api/queries";
import { Chart, type Line } from "~/components/Chart";
import { CopyButton } from "~/components/CopyButton";
import { hinted } from "~/components/hints";
import { Failed, Loading } from "~/components/Notice";
import { command } from "~/lib/cli";
import { count, percent, rate, shortCount, span } from "~/lib/format";
import { changeSettings, type Settings, useSettings } from "~/lib/settings";
import { useOnChange } from "~/live/hooks";
import { queueText } from "~/strings/queue";
import { DayBars } from "./DayBars";
import { dayOf, withToday } from "./days";
import { hasWork, type Percentiles, type Rates, useRates } from "./rates";

const MINUTES = 60;
const DAYS = [7, 30, 90] as const;
const DAYS_ANEW_MS = 15_000;

export default function Details({ queue, servers }: { queue: Queue; servers: readonly ServerInfo[] }) {
  const { rates, error, isLoading, again } = useRates([queue.queue], MINUTES);
  const found = rates[0];
  return (
    <Stack gap="sm" mb="md">
      {error !== undefined && error !== null && !found && <Failed error={error} again={again} />}
      {isLoading && <Loading lines={4} />}
      {found && !hasWork(found) && (
        <Paper withBorder p="md">
          <Text size="sm" c="dimmed">
            {queueText.noRates}
          </Text>
        </Paper>
      )}
      {found && hasWork(found) && <Work rates={found} isPaused={queue.paused} />}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <Days queue={queue} />
        <Servers queue={queue.queue} servers={servers} />
      </SimpleGrid>
    </Stack>
  );
}

function Part({ title, beside, children }: { title: string; beside?: ReactNode; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title} style={{ minWidth: 0 }}>
      <Group justify="space-between" mb="xs" gap="xs">
        <Title order={2} size="sm">
          {title}
        </Title>
        {beside}
      </Group>
      {children}
    </Paper>
  );
}

/** "2 min", or why it does not get emptier. */
function emptyIn(rates: Pick<Rates, "depth" | "seconds_to_empty" | "arrivals_per_second">, isPaused: boolean) {
  if (rates.depth === 0) return queueText.emptyNow;
  if (isPaused) return queueText.stuck;
  if (rates.seconds_to_empty !== null) return span(rates.seconds_to_empty);
  return rates.arrivals_per_second === null ? queueText.unknown : queueText.neverEmpty;
}

const seconds = (value: number | null): string => (value === null ? "–" : span(value));
const NUMBER = { fontVariantNumeric: "tabular-nums" } as const;

function Work({ rates, isPaused }: { rates: Rates; isPaused: boolean }) {
  const times = rates.points.map((point) => Date.parse(point.minute) / 1000);
  // The minute that is still going on would look like a fall.
  const ended = (kind: "succeeded" | "failed") => [...rates.points.slice(0, -1).map((each) => each[kind]), null];
  const hasDepth = rates.points.some((point) => point.depth !== null);
  return (
    <>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <Over
          title={queueText.perMinute}
          label={queueText.perMinuteLabel(rates.queue)}
          times={times}
          lines={[
            { label: queueText.succeeded, color: "teal", values: ended("succeeded"), isFilled: true },
            { label: queueText.failed, color: "red", values: ended("failed") },
          ]}
        />
        {hasDepth && (
          <Over
            title={queueText.depth}
            label={queueText.depthLabel(rates.queue)}
            times={times}
            lines={[
              { label: queueText.depth, color: "blue", values: rates.points.map((each) => each.depth), isFilled: true },
            ]}
          />
        )}
        <Part title={queueText.forecast}>
          <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
            {[
              [
                queueText.arrivals,
                rates.arrivals_per_second === null ? queueText.unknown : rate(rates.arrivals_per_second),
              ],
              [queueText.starts, rate(rates.starts_per_second)],
              [queueText.services, rate(rates.services_per_second)],
              [queueText.toEmpty, emptyIn(rates, isPaused)],
            ].map(([label, value]) => (
              <div key={label}>
                <Text size="xs" c="dimmed">
                  {label}
                </Text>
                <Text fw={600} style={NUMBER}>
                  {value}
                </Text>
              </div>
            ))}
          </SimpleGrid>
          <Text size="xs" c="dimmed" mt={4}>
            {queueText.observed(span(Math.round(rates.observed_seconds)))}
          </Text>
        </Part>
        <Part title={queueText.percentiles}>
          <Quantiles waited={rates.waited} ran={rates.ran} />
        </Part>
      </SimpleGrid>
      <Part
        title={queueText.types}
        beside={
          <Anchor
            size="sm"
            renderRoot={(props) => <Link to="/q/metrics" search={{ queue: [rates.queue] }} {...props} />}
          >
            {queueText.moreMetrics}
          </Anchor>
        }
      >
        <Table.ScrollContainer minWidth={640}>
          <Table aria-label={queueText.types} fz="sm" style={NUMBER}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{queueText.type}</Table.Th>
                <Table.Th ta="right">{queueText.started}</Table.Th>
                <Table.Th ta="right">{queueText.failed}</Table.Th>
                <Table.Th ta="right">{queueText.stats.errorRate}</Table.Th>
                <Table.Th ta="right">{`${queueText.waited} p50`}</Table.Th>
                <Table.Th ta="right">{`${queueText.waited} p99`}</Table.Th>
                <Table.Th ta="right">{`${queueText.ran} p50`}</Table.Th>
                <Table.Th ta="right">{`${queueText.ran} p99`}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rates.patterns.map((each) => {
                const ended = each.succeeded + each.failed;
                return (
                  <Table.Tr key={each.pattern}>
                    <Table.Td className="mono">{each.pattern}</Table.Td>
                    <Table.Td ta="right">{count(each.started)}</Table.Td>
                    <Table.Td ta="right">{count(each.failed)}</Table.Td>
                    <Table.Td ta="right">{ended > 0 ? percent(each.failed / ended) : "–"}</Table.Td>
                    <Table.Td ta="right">{seconds(each.waited.p50)}</Table.Td>
                    <Table.Td ta="right">{seconds(each.waited.p99)}</Table.Td>
                    <Table.Td ta="right">{seconds(each.ran.p50)}</Table.Td>
                    <Table.Td ta="right">{seconds(each.ran.p99)}</Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Part>
    </>
  );
}

function Over({ title, label, times, lines }: { title: string; label: string; times: number[]; lines: Line[] }) {
  return (
    <Part title={title}>
      <Chart label={label} height={170} times={times} format={shortCount} lines={lines} />
    </Part>
  );
}

function Quantiles({ waited, ran }: { waited: Percentiles; ran: Percentiles }) {
  const row = (label: string, values: Percentiles) => (
    <Table.Tr>
      <Table.Th scope="row">{label}</Table.Th>
      <Table.Td ta="right">{seconds(values.p50)}</Table.Td>
      <Table.Td ta="right">{seconds(values.p90)}</Table.Td>
      <Table.Td ta="right">{seconds(values.p99)}</Table.Td>
    </Table.Tr>
  );
  return (
    <>
      <Table aria-label={queueText.percentiles} fz="sm" style={NUMBER} withRowBorders={false} verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{queueText.quantile}</Table.Th>
            <Table.Th ta="right">50 %</Table.Th>
            <Table.Th ta="right">90 %</Table.Th>
            <Table.Th ta="right">99 %</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {row(queueText.waited, waited)}
          {row(queueText.ran, ran)}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed" mt={4}>
        {queueText.percentileHint}
      </Text>
    </>
  );
}

function Days({ queue }: { queue: Queue }) {
  const { historyDays } = useSettings();
  const days = historyDays === 1 ? 7 : historyDays;
  const { data, error, refetch } = useQuery({ ...historyQuery(queue.queue, days), placeholderData: keepPreviousData });
  useOnChange(queue.processed_total, () => void refetch(), DAYS_ANEW_MS);
  return (
    <Part
      title={queueText.days}
      beside={
        <SegmentedControl
          transitionDuration={0}
          size="xs"
          aria-label={queueText.daysChoice}
          value={String(days)}
          onChange={(value) => changeSettings({ historyDays: Number(value) as Settings["historyDays"] })}
          data={DAYS.map((each) => ({ value: String(each), label: queueText.dayRange(each) }))}
        />
      }
    >
      {data ? (
        <DayBars
          days={withToday(data.items, [queue], dayOf(new Date()))}
          label={queueText.daysLabel(queue.queue, days)}
          height={120}
        />
      ) : error ? (
        <Failed error={error} again={() => void refetch()} />
      ) : (
        <Loading lines={4} />
      )}
    </Part>
  );
}

function Servers({ queue, servers }: { queue: string; servers: readonly ServerInfo[] }) {
  const start = command("worker", "MODULE:MUX", "--queue", `${queue}=1`);
  return (
    <Part title={queueText.servedBy}>
      {servers.length === 0 ? (
        <>
          <Text size="sm">
            {queueText.notServed} {queueText.notServedCommand}
          </Text>
          <Group gap="xs" wrap="nowrap" mt="xs">
            <Code block style={{ flex: 1, minWidth: 0, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
              {start}
            </Code>
            <CopyButton value={start} label={start} />
          </Group>
        </>
      ) : (
        <Table.ScrollContainer minWidth={420} mah={280}>
          <Table aria-label={queueText.servedBy} fz="sm" style={NUMBER}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{queueText.server}</Table.Th>
                <Table.Th ta="right">
                  <span {...hinted(queueText.weightHint)}>{queueText.weight}</span>
                </Table.Th>
                <Table.Th ta="right">{queueText.busyHere}</Table.Th>
                <Table.Th ta="right">{queueText.slots}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {[...servers]
                .sort((a, b) => (`${a.host}:${a.pid}` < `${b.host}:${b.pid}` ? -1 : 1))
                .map((server) => (
                  <Table.Tr key={server.id}>
                    <Table.Td>
                      <Group gap="xs" wrap="nowrap">
                        <Anchor
                          size="sm"
                          renderRoot={(props) => <Link to="/servers" search={{ server: server.id }} {...props} />}
                        >
                          {server.host}:{server.pid}
                        </Anchor>
                        <Badge
                          variant="light"
                          color={server.speaks === "python" ? "blue" : "gray"}
                          tt="none"
                          size="sm"
                          style={{ flex: "none" }}
                        >
                          {queueText.speaks[server.speaks]}
                        </Badge>
                      </Group>
                    </Table.Td>
                    <Table.Td ta="right">{server.queues[queue]}</Table.Td>
                    <Table.Td ta="right">
                      {count(server.workers.filter((worker) => worker.queue === queue).length)}
                    </Table.Td>
                    <Table.Td ta="right">
                      {count(server.busy)} / {count(server.concurrency)}
                    </Table.Td>
                  </Table.Tr>
                ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Part>
  );
}
