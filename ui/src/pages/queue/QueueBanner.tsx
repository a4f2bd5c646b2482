/** The top of a queue's page: its heading, numbers, who serves it and what can be done to it. Has the page's `PageHeader`. */
import { ActionIcon, Anchor, Button, Collapse, Group, Menu, SimpleGrid, Text } from "@mantine/core";
import {
  IconBug,
  IconChartLine,
  IconChevronDown,
  IconChevronUp,
  IconDatabase,
  IconDots,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlus,
  IconStethoscope,
  IconTrash,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { answer, api, type Queue } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { Empty, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { Sparkline } from "~/components/Sparkline";
import { command } from "~/lib/cli";
import { bytes, count, percent, rate, shortCount, span } from "~/lib/format";
import { say } from "~/lib/say";
import { changeSettings, useSettings } from "~/lib/settings";
import { useIsLoaded, useQueue, useServers } from "~/live/hooks";
import { usePageActions } from "~/shell/pageActions";
import { overview } from "~/strings/overview";
import { queueText } from "~/strings/queue";
import { useQueueActions } from "./parts/actions";
import { Check } from "./parts/Check";
import { PauseBadge } from "./parts/PauseBadge";
import { Stat } from "./parts/Stat";
import { errorRate, stateText } from "./parts/StateBar";
import { useThroughput } from "./parts/throughput";
import { QueueMenu } from "./QueueMenu";

const Details = lazy(() => import("./parts/Details"));

export interface QueueBannerProps {
  /** The queue's name. */
  name: string;
}

export default function QueueBanner({ name }: QueueBannerProps) {
  const queue = useQueue(name);
  const isLoaded = useIsLoaded();
  const [isChecking, setIsChecking] = useState(false);
  return (
    <>
      <PageHeader
        title={name}
        crumbs={[{ text: overview.title, to: "/" }]}
        lastCrumb={<QueueMenu name={name} />}
        beside={queue && <PauseBadge isPaused={queue.paused} />}
        actions={queue && <Actions queue={queue} check={() => setIsChecking(true)} />}
        cli={[
          command("queue", "inspect", name),
          command("queue", "history", name, "--days", 30),
          command("queue", queue?.paused ? "resume" : "pause", name),
          command("queue", "rm", name),
          command("queue", "drain", name),
        ]}
        http={[
          `GET /api/v2/queues/${encodeURIComponent(name)}`,
          `GET /api/v2/queues/${encodeURIComponent(name)}/rates?minutes=60`,
          `POST /api/v2/queues/${encodeURIComponent(name)}/check`,
        ]}
      />
      {queue ? (
        <Numbers queue={queue} />
      ) : isLoaded ? (
        <Empty title={queueText.missingTitle}>{queueText.missing}</Empty>
      ) : (
        <Loading lines={3} />
      )}
      <Check queue={name} isOpen={isChecking} close={() => setIsChecking(false)} />
    </>
  );
}

function Numbers({ queue }: { queue: Queue }) {
  const { queueDetails } = useSettings();
  const servers = Object.values(useServers()).filter((server) => queue.queue in server.queues);
  const failing = errorRate(queue);
  const text = queueText.stats;
  const busy = servers.reduce((sum, server) => sum + server.busy, 0);
  const slots = servers.reduce((sum, server) => sum + server.concurrency, 0);
  return (
    <>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm" mb="xs">
        <Stat label={text.size} value={shortCount(queue.size)} about={about(queue)} hint={stateText(queue)} />
        <Stat
          label={text.latency}
          hint={text.latencyHint}
          value={queue.pending > 0 ? span(queue.latency_seconds) : "–"}
          about={queueText.pending(queue.pending)}
        />
        <Speed name={queue.queue} total={queue.processed_total} />
        <Stat
          label={text.processed}
          value={shortCount(queue.processed_today)}
          color={queue.failed_today > 0 && failing !== undefined && failing > 0.5 ? "red" : undefined}
          about={
            <Anchor
              size="xs"
              c="inherit"
              renderRoot={(props) => <Link to="/failures" search={{ queue: [queue.queue] }} {...props} />}
            >
              {queueText.failures(count(queue.failed_today), failing === undefined ? "" : percent(failing))}
            </Anchor>
          }
        />
        <Stat
          label={text.servers}
          value={count(servers.length)}
          color={servers.length === 0 && queue.size > 0 ? "orange" : undefined}
          about={servers.length > 0 ? queueText.ofSlots(busy, slots) : queueText.noServers}
        />
      </SimpleGrid>
      <Group justify="space-between" mb="xs" gap="xs">
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray"
          rightSection={queueDetails ? <IconChevronUp size={14} /> : <IconChevronDown size={14} />}
          aria-expanded={queueDetails}
          onClick={() => changeSettings({ queueDetails: !queueDetails })}
        >
          {queueDetails ? queueText.hideDetails : queueText.showDetails}
        </Button>
        <Memory queue={queue} />
      </Group>
      <Collapse expanded={queueDetails}>
        {queueDetails && (
          <Suspense fallback={<Loading lines={5} />}>
            <Details queue={queue} servers={servers} />
          </Suspense>
        )}
      </Collapse>
    </>
  );
}

const about = (queue: Queue): string =>
  queue.groups > 0 ? `${stateText(queue)} · ${queueText.groups(queue.groups)}` : stateText(queue);

/** By itself, because it changes every two seconds. */
function Speed({ name, total }: { name: string; total: number }) {
  const { now, values } = useThroughput(name);
  return (
    <Stat
      label={queueText.stats.throughput}
      value={rate(now)}
      about={queueText.total(shortCount(total))}
      beside={<Sparkline values={values} label={queueText.throughput(rate(now))} width={56} />}
      link={{ to: "/q/metrics", search: { queue: [name] } }}
    />
  );
}

/** What it takes in Redis, asked for by the menu. */
function useQueueMemory(queue: string) {
  return useQuery({
    queryKey: ["memory of", queue],
    enabled: false,
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v2/queues/{queue}", { params: { path: { queue }, query: { memory: true } }, signal })),
  });
}

function Memory({ queue }: { queue: Queue }) {
  const { data } = useQueueMemory(queue.queue);
  if (!data) return null;
  return (
    <Text size="sm" c="dimmed" role="status">
      {data.memory_usage_bytes === null
        ? queueText.memoryUnknown
        : queueText.memoryIs(bytes(data.memory_usage_bytes), bytes(data.memory_usage_bytes / Math.max(data.size, 1)))}
    </Text>
  );
}

function Actions({ queue, check }: { queue: Queue; check: () => void }) {
  const { queue: name, paused, permissions } = queue;
  const { setPaused, remove } = useQueueActions();
  const { data: meta } = useQuery(metaQuery);
  const memory = useQueueMemory(name);
  const navigate = useNavigate();
  const estimate = async () => {
    const { error } = await memory.refetch();
    if (error) say.failed(queueText.memoryFailed, error);
  };
  const removeAndLeave = async () => {
    if (await remove(queue)) await navigate({ to: "/" });
  };
  const enqueue = () => navigate({ to: "/new-task", search: { queue: name } });
  usePageActions([
    ...(permissions.includes("pause")
      ? [
          {
            label: paused ? queueText.resumeNamed(name) : queueText.pauseNamed(name),
            run: () => void setPaused(queue, !paused),
          },
        ]
      : []),
    ...(permissions.includes("enqueue") ? [{ label: queueText.enqueueTo(name), run: () => void enqueue() }] : []),
    ...(permissions.includes("edit") ? [{ label: queueText.check, run: check }] : []),
    ...(permissions.includes("remove")
      ? [{ label: queueText.removeNamed(name), run: () => void removeAndLeave() }]
      : []),
  ]);
  return (
    <>
      {permissions.includes("pause") && (
        <Button
          size="sm"
          variant="default"
          leftSection={paused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />}
          onClick={() => void setPaused(queue, !paused)}
        >
          {paused ? queueText.resume : queueText.pause}
        </Button>
      )}
      {permissions.includes("enqueue") && (
        <Button
          size="sm"
          variant="default"
          leftSection={<IconPlus size={16} />}
          renderRoot={(props) => <Link to="/new-task" search={{ queue: name }} {...props} />}
        >
          {queueText.enqueue}
        </Button>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size="lg" aria-label={queueText.more(name)} loading={memory.isFetching}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown maw={300}>
          <Menu.Item
            leftSection={<IconChartLine size={16} />}
            renderRoot={(props) => <Link to="/q/metrics" search={{ queue: [name] }} {...props} />}
          >
            {queueText.metrics}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconBug size={16} />}
            renderRoot={(props) => <Link to="/failures" search={{ queue: [name] }} {...props} />}
          >
            {queueText.failuresPage}
          </Menu.Item>
          {meta?.memory_usage && (
            <Menu.Item leftSection={<IconDatabase size={16} />} onClick={() => void estimate()}>
              {queueText.memory}
              <Text size="xs" c="dimmed">
                {queueText.memoryHint}
              </Text>
            </Menu.Item>
          )}
          {permissions.includes("edit") && (
            <Menu.Item leftSection={<IconStethoscope size={16} />} onClick={check}>
              {queueText.check}
            </Menu.Item>
          )}
          {permissions.includes("remove") && (
            <>
              <Menu.Divider />
              <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => void removeAndLeave()}>
                {queueText.remove}
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
