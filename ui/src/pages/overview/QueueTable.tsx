/** All queues. Only the rows in sight are there, and only those whose numbers change are drawn again. */
import {
  ActionIcon,
  Box,
  Button,
  CloseButton,
  Group,
  Menu,
  Paper,
  Table,
  Text,
  TextInput,
  Title,
  UnstyledButton,
} from "@mantine/core";
import {
  IconArrowDown,
  IconArrowUp,
  IconChartLine,
  IconDots,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlus,
  IconSearch,
  IconTrash,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Queue } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { hinted } from "~/components/hints";
import { Empty } from "~/components/Notice";
import { Sparkline } from "~/components/Sparkline";
import { bytes, percent, rate, shortCount, span } from "~/lib/format";
import { say } from "~/lib/say";
import { useSettings } from "~/lib/settings";
import { useQueues } from "~/live/hooks";
import { type QueueActions, useQueueActions } from "~/pages/queue/parts/actions";
import { PauseBadge } from "~/pages/queue/parts/PauseBadge";
import { ink } from "~/pages/queue/parts/Stat";
import { errorRate, StateBar, stateText } from "~/pages/queue/parts/StateBar";
import { useThroughput } from "~/pages/queue/parts/throughput";
import { overview } from "~/strings/overview";
import { queueText } from "~/strings/queue";
import { MOST_ESTIMATED, useMemory } from "./memory";
import classes from "./QueueTable.module.css";
import { type Sort, shownRows } from "./rows";

const route = getRouteApi("/");
const text = overview.table;

/** From which width of the window a column is shown. */
type From = "xs" | "sm" | "md" | "lg" | undefined;
const FROM = { state: "sm", latency: "sm", processed: "md", failed: "sm", rate: "lg", speed: "lg" } as const;

export function QueueTable() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queues = useQueues();
  const { density } = useSettings();
  const { data: meta } = useQuery(metaQuery);
  const memory = useMemory(search.name);
  const sizes = memory.data?.byQueue;
  const rows = useMemo(() => shownRows(Object.values(queues), search, sizes), [queues, search, sizes]);
  const total = Object.keys(queues).length;
  const actions = useQueueActions();

  const body = useRef<HTMLTableSectionElement>(null);
  const [scrollMargin, setScrollMargin] = useState(0);
  useLayoutEffect(() => {
    // What is above may grow and shrink.
    const top = body.current ? Math.round(body.current.getBoundingClientRect().top + window.scrollY) : 0;
    if (Math.abs(top - scrollMargin) > 1) setScrollMargin(top);
  });
  const height = density === "compact" ? 38 : 46;
  const virtual = useWindowVirtualizer({ count: rows.length, estimateSize: () => height, overscan: 10, scrollMargin });
  const items = virtual.getVirtualItems();
  const before = items[0] ? items[0].start - scrollMargin : 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? scrollMargin) + scrollMargin;

  const sortBy = (sort: Sort, isNumber: boolean) => {
    const isSame = (search.sort ?? "queue") === sort;
    const descending = isSame ? !search.descending : isNumber;
    void navigate({
      search: (now) => ({
        ...now,
        sort: sort === "queue" ? undefined : sort,
        descending: descending || undefined,
      }),
      replace: true,
      resetScroll: false,
    });
  };
  const filter = (name: string) =>
    void navigate({ search: (now) => ({ ...now, name: name || undefined }), replace: true, resetScroll: false });
  const estimate = async () => {
    const { error } = await memory.refetch();
    if (error) say.failed(overview.memory.failed, error);
    else if (!sizes) sortBy("memory", true);
  };
  const head = { current: search.sort ?? "queue", descending: search.descending, sortBy };

  return (
    <Paper withBorder component="section" aria-label={text.title}>
      <Group justify="space-between" p="sm" gap="sm">
        <Group gap="xs">
          <Title order={2} size="sm">
            {text.title}
          </Title>
          <Text size="sm" c="dimmed" role="status">
            {text.shown(rows.length, total)}
          </Text>
        </Group>
        <Group gap="xs">
          {memory.data && (
            <Text size="xs" c="dimmed">
              {overview.memory.took(bytes(memory.data.total), span(memory.data.seconds))}
            </Text>
          )}
          {meta?.memory_usage && (
            <Button
              {...hinted(overview.memory.hint(Math.min(rows.length, MOST_ESTIMATED)))}
              size="xs"
              variant="default"
              loading={memory.isFetching}
              disabled={rows.length === 0}
              onClick={() => void estimate()}
            >
              {sizes ? overview.memory.again : overview.memory.estimate}
            </Button>
          )}
          <TextInput
            size="xs"
            w={200}
            aria-label={text.filter}
            placeholder={text.filter}
            leftSection={<IconSearch size={14} />}
            rightSection={
              search.name ? <CloseButton size="xs" aria-label={text.clear} onClick={() => filter("")} /> : undefined
            }
            value={search.name ?? ""}
            onChange={(event) => filter(event.currentTarget.value)}
          />
        </Group>
      </Group>
      <Box style={{ overflowX: "auto" }}>
        <Table
          highlightOnHover
          aria-rowcount={rows.length + 1}
          aria-label={text.caption}
          style={{ tableLayout: "fixed", width: "100%" }}
        >
          <Table.Thead>
            <Table.Tr aria-rowindex={1}>
              <Head {...head} sort="queue" label={text.queue} />
              <Head {...head} sort="state" label={text.state} width={98} from={FROM.state} />
              <Head {...head} sort="size" label={text.size} width={168} narrow={112} isNumber />
              <Head {...head} sort="latency" label={text.latency} width={96} from={FROM.latency} isNumber right />
              <Head
                {...head}
                sort="processed"
                label={text.processed}
                hint={text.processedHint}
                width={100}
                from={FROM.processed}
                isNumber
                right
              />
              <Head {...head} sort="failed" label={text.failed} width={74} from={FROM.failed} isNumber right />
              <Head {...head} sort="error_rate" label={text.errorRate} width={94} from={FROM.rate} isNumber right />
              {sizes && <Head {...head} sort="memory" label={text.memory} width={96} isNumber right />}
              <Table.Th w={148} visibleFrom={FROM.speed}>
                {text.throughput}
              </Table.Th>
              <Table.Th w={{ base: 52, sm: 88 }} aria-label={text.actions} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody ref={body}>
            {before > 0 && (
              <tr aria-hidden>
                <td style={{ height: before, padding: 0 }} />
              </tr>
            )}
            {items.map((item) => {
              const queue = rows[item.index];
              return (
                queue && (
                  <Row
                    key={queue.queue}
                    queue={queue}
                    index={item.index}
                    height={height}
                    memory={sizes && (sizes[queue.queue] ?? null)}
                    actions={actions}
                  />
                )
              );
            })}
            {after > 0 && (
              <tr aria-hidden>
                <td style={{ height: after, padding: 0 }} />
              </tr>
            )}
          </Table.Tbody>
        </Table>
        {rows.length === 0 && <Empty title={text.nothing} />}
      </Box>
    </Paper>
  );
}

interface HeadProps {
  sort: Sort;
  label: string;
  current: string;
  descending: boolean | undefined;
  sortBy: (sort: Sort, isNumber: boolean) => void;
  hint?: string;
  width?: number;
  /** On a phone. */
  narrow?: number;
  from?: From;
  isNumber?: boolean;
  right?: boolean;
}

function Head({ sort, label, current, descending, sortBy, hint, width, narrow, from, isNumber, right }: HeadProps) {
  const isCurrent = current === sort;
  const Arrow = descending ? IconArrowDown : IconArrowUp;
  return (
    <Table.Th
      w={narrow ? { base: narrow, sm: width } : width}
      visibleFrom={from}
      ta={right ? "right" : undefined}
      aria-sort={isCurrent ? (descending ? "descending" : "ascending") : "none"}
    >
      <UnstyledButton
        {...hinted(hint)}
        fz="sm"
        fw={600}
        className="nowrap"
        onClick={() => sortBy(sort, isNumber ?? false)}
      >
        {label}
        {isCurrent && <Arrow size={13} aria-hidden style={{ marginLeft: 3, verticalAlign: -1 }} />}
      </UnstyledButton>
    </Table.Th>
  );
}

interface RowProps {
  queue: Queue;
  index: number;
  height: number;
  /** Bytes, null where nobody knows, undefined before somebody has asked. */
  memory: number | null | undefined;
  actions: QueueActions;
}

/** The class by which Mantine hides what a narrow window has no room for. */
const from = (width: string): string => `mantine-visible-from-${width}`;

const Row = memo(function Row({ queue, index, height, memory, actions }: RowProps) {
  const failing = errorRate(queue);
  const states = stateText(queue);
  return (
    <Table.Tr aria-rowindex={index + 2} style={{ height }} className={classes.row}>
      <td>
        <Link to="/queues/$queue" params={{ queue: queue.queue }} className={classes.name} title={queue.queue}>
          {queue.queue}
        </Link>
        {queue.paused && (
          <Box hiddenFrom={FROM.state}>
            <PauseBadge isPaused size="xs" />
          </Box>
        )}
      </td>
      <td className={from(FROM.state)}>
        <PauseBadge isPaused={queue.paused} />
      </td>
      <td>
        <div className={classes.pair} title={states}>
          <span className={classes.size}>{shortCount(queue.size)}</span>
          <span className={classes.bar} role="img" aria-label={states}>
            <StateBar counts={queue} />
          </span>
        </div>
      </td>
      <td className={`${classes.number} ${from(FROM.latency)}`}>
        {queue.pending > 0 ? span(queue.latency_seconds) : "–"}
      </td>
      <td className={`${classes.number} ${from(FROM.processed)}`}>{shortCount(queue.processed_today)}</td>
      <td
        className={`${classes.number} ${from(FROM.failed)}`}
        style={{ color: queue.failed_today > 0 ? ink("red") : undefined }}
      >
        {shortCount(queue.failed_today)}
      </td>
      <td className={`${classes.number} ${from(FROM.rate)}`}>{failing === undefined ? "–" : percent(failing)}</td>
      {memory !== undefined && <td className={classes.number}>{memory === null ? "–" : bytes(memory)}</td>}
      <td className={from(FROM.speed)}>
        <Speed name={queue.queue} />
      </td>
      <td>
        <RowActions queue={queue} actions={actions} />
      </td>
    </Table.Tr>
  );
});

/** By itself, because it changes every two seconds. */
function Speed({ name }: { name: string }) {
  const { now, values } = useThroughput(name);
  return (
    <div className={classes.pair}>
      <Sparkline values={values} label={queueText.throughput(rate(now))} width={64} height={20} />
      <span className={classes.speed}>{rate(now)}</span>
    </div>
  );
}

/** The menu comes with its first use: rows must be cheap, because they come and go while one scrolls. */
function RowActions({ queue, actions }: { queue: Queue; actions: QueueActions }) {
  const [isUsed, setIsUsed] = useState(false);
  const { queue: name, paused, permissions } = queue;
  const mayPause = permissions.includes("pause");
  const label = paused ? queueText.resumeNamed(name) : queueText.pauseNamed(name);
  const Icon = paused ? IconPlayerPlay : IconPlayerPause;
  const change = () => void actions.setPaused(queue, !paused);
  return (
    <Group gap={4} wrap="nowrap" justify="flex-end">
      {mayPause && (
        <ActionIcon variant="subtle" color="gray" visibleFrom="sm" aria-label={label} title={label} onClick={change}>
          <Icon size={16} />
        </ActionIcon>
      )}
      {isUsed ? (
        <RowMenu queue={queue} actions={actions} />
      ) : (
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={queueText.more(name)}
          aria-haspopup="menu"
          aria-expanded={false}
          onClick={() => setIsUsed(true)}
        >
          <IconDots size={16} />
        </ActionIcon>
      )}
    </Group>
  );
}

function RowMenu({ queue, actions }: { queue: Queue; actions: QueueActions }) {
  const { queue: name, paused, permissions } = queue;
  const Icon = paused ? IconPlayerPlay : IconPlayerPause;
  return (
    <Menu position="bottom-end" defaultOpened>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={queueText.more(name)}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {permissions.includes("pause") && (
          <Menu.Item
            hiddenFrom="sm"
            leftSection={<Icon size={16} />}
            onClick={() => void actions.setPaused(queue, !paused)}
          >
            {paused ? queueText.resume : queueText.pause}
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<IconChartLine size={16} />}
          renderRoot={(props) => <Link to="/q/metrics" search={{ queue: [name] }} {...props} />}
        >
          {queueText.metrics}
        </Menu.Item>
        {permissions.includes("enqueue") && (
          <Menu.Item
            leftSection={<IconPlus size={16} />}
            renderRoot={(props) => <Link to="/new-task" search={{ queue: name }} {...props} />}
          >
            {queueText.enqueue}
          </Menu.Item>
        )}
        {permissions.includes("remove") && (
          <>
            <Menu.Divider />
            <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => void actions.remove(queue)}>
              {queueText.remove}
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
