/** The sums over all queues and servers. */
import { SimpleGrid } from "@mantine/core";
import { Sparkline } from "~/components/Sparkline";
import { count, percent, rate, shortCount, span } from "~/lib/format";
import { useQueues, useServers } from "~/live/hooks";
import { Stat } from "~/pages/queue/parts/Stat";
import { useThroughput } from "~/pages/queue/parts/throughput";
import { overview } from "~/strings/overview";
import { queueText } from "~/strings/queue";

export function Totals() {
  const queues = Object.values(useQueues());
  const servers = Object.values(useServers());
  const text = overview.totals;
  const sum = (value: (queue: (typeof queues)[number]) => number) => queues.reduce((all, each) => all + value(each), 0);
  const pending = sum((queue) => queue.pending);
  const oldest = queues.reduce((most, queue) => Math.max(most, queue.latency_seconds), 0);
  const processed = sum((queue) => queue.processed_today);
  const failed = sum((queue) => queue.failed_today);
  const slots = servers.reduce((all, server) => all + server.concurrency, 0);
  const busy = servers.reduce((all, server) => all + server.busy, 0);
  const active = sum((queue) => queue.active);
  const python = servers.filter((server) => server.speaks === "python").length;
  const retry = sum((queue) => queue.retry);

  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm" mb="md">
      <Stat
        label={text.pending}
        value={shortCount(pending)}
        about={pending > 0 ? text.oldest(span(oldest)) : text.nothingWaits}
        link={{ to: "/tasks", search: { state: ["pending"] } }}
      />
      <Stat
        label={text.active}
        value={shortCount(active)}
        about={slots > 0 ? (busy === active ? text.slots : text.slotsTold)(count(busy), count(slots)) : text.noSlots}
        hint={text.slotsHint}
        link={{ to: "/tasks", search: { state: ["active"] } }}
      />
      <Speed processed={processed} />
      <Stat
        label={text.failed}
        value={shortCount(failed)}
        color={failed > 0 ? "red" : undefined}
        about={processed > 0 ? text.errorRate(percent(failed / processed)) : text.noAttempts}
        link={{ to: "/failures" }}
      />
      <Stat
        label={text.retry}
        value={shortCount(retry)}
        color={retry > 0 ? "orange" : undefined}
        about={text.archived(shortCount(sum((queue) => queue.archived)))}
        link={{ to: "/tasks", search: { state: ["retry"] } }}
      />
      <Stat
        label={text.servers}
        value={count(servers.length)}
        color={servers.length === 0 ? "red" : undefined}
        about={[python > 0 && text.python(python), servers.length > python && text.other(servers.length - python)]
          .filter(Boolean)
          .join(", ")}
        link={{ to: "/servers" }}
      />
    </SimpleGrid>
  );
}

/** By itself, because it changes every two seconds. */
function Speed({ processed }: { processed: number }) {
  const { now, values } = useThroughput();
  return (
    <Stat
      label={overview.totals.throughput}
      value={rate(now)}
      about={overview.totals.processed(shortCount(processed))}
      beside={<Sparkline values={values} label={queueText.throughput(rate(now))} width={48} />}
      link={{ to: "/q/metrics" }}
    />
  );
}
