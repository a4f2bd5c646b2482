/** One server, and below it what it runs. */
import { ActionIcon, Anchor, Badge, Button, Code, Group, Progress, Stack, Table, Text } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { memo, useState } from "react";
import { answer, api, type Schemas, type ServerInfo } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { useConfirm } from "~/components/Confirm";
import { CopyButton } from "~/components/CopyButton";
import { DataTable } from "~/components/DataTable";
import { hinted } from "~/components/hints";
import { TextLink } from "~/components/links";
import { Moment } from "~/components/Moment";
import { say } from "~/lib/say";
import { useSettings } from "~/lib/settings";
import { useQueues } from "~/live/hooks";
import { servers as words } from "~/strings/servers";
import { byPriority, isPython, nameOf } from "./fleet";

const MOST_QUEUES = 4;
const STATUS_COLORS: Readonly<Record<string, string>> = {
  active: "teal",
  new: "blue",
  stopped: "yellow",
  closed: "gray",
};

export const ServerRow = memo(function ServerRow({
  server,
  isOpen,
  toggle,
  columns,
}: {
  server: ServerInfo;
  isOpen: boolean;
  toggle: (id: string | undefined) => void;
  columns: number;
}) {
  const name = nameOf(server);
  const queues = byPriority(server);
  const shown = isOpen ? queues : queues.slice(0, MOST_QUEUES);
  const share = (server.busy / Math.max(server.concurrency, 1)) * 100;
  const Chevron = isOpen ? IconChevronDown : IconChevronRight;
  const press = () => toggle(isOpen ? undefined : server.id);
  return (
    <>
      <Table.Tr data-server={server.id}>
        <Table.Td>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="sm"
            aria-expanded={isOpen}
            aria-label={isOpen ? words.close(name) : words.open(name)}
            onClick={press}
          >
            <Chevron size={16} />
          </ActionIcon>
        </Table.Td>
        <Table.Td>
          <Anchor component="button" size="sm" className="mono" c="inherit" onClick={press} ta="left" tabIndex={-1}>
            {name}
          </Anchor>
          {server.app_version && (
            <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
              {words.version(server.app_version)}
            </Text>
          )}
        </Table.Td>
        <Table.Td>
          <Badge
            {...hinted(isPython(server) ? words.speaks.pythonHint : words.speaks.otherHint)}
            variant="light"
            size="sm"
            tt="none"
            miw="max-content"
            color={isPython(server) ? "blue" : "cyan"}
          >
            {isPython(server) ? words.speaks.python : words.speaks.other}
          </Badge>
        </Table.Td>
        <Table.Td>
          <Badge
            {...hinted(words.statusHints[server.status])}
            variant="dot"
            size="sm"
            tt="none"
            miw="max-content"
            color={STATUS_COLORS[server.status] ?? "gray"}
          >
            {words.statuses[server.status] ?? server.status}
          </Badge>
        </Table.Td>
        <Table.Td>
          <Moment at={server.started} />
        </Table.Td>
        <Table.Td>
          <Group gap="2px 10px" maw={420}>
            {shown.map(([queue, priority]) => (
              <Text size="sm" key={queue} span className="nowrap">
                <TextLink to="/queues/$queue" params={{ queue }} size="sm">
                  {queue}
                </TextLink>{" "}
                <Text span size="xs" c="dimmed">
                  {priority}
                </Text>
              </Text>
            ))}
            {queues.length > shown.length && (
              <Text size="xs" c="dimmed">
                {words.moreQueues(queues.length - shown.length)}
              </Text>
            )}
            {queues.length > 1 && server.strict_priority && (
              <Badge {...hinted(words.strictHint)} size="xs" variant="outline" color="gray" tt="none">
                {words.strict}
              </Badge>
            )}
          </Group>
        </Table.Td>
        <Table.Td>
          <Group gap="xs" wrap="nowrap" title={words.busyOf(server.busy, server.concurrency)}>
            <Progress
              value={share}
              color={share >= 100 ? "orange" : "teal"}
              style={{ flex: 1 }}
              miw={50}
              transitionDuration={0}
              aria-label={words.busyOf(server.busy, server.concurrency)}
            />
            <Text size="sm" className="nowrap" style={{ fontVariantNumeric: "tabular-nums" }}>
              {server.busy}/{server.concurrency}
            </Text>
          </Group>
        </Table.Td>
      </Table.Tr>
      {isOpen && (
        <Table.Tr>
          <Table.Td colSpan={columns} p={0}>
            <Inside server={server} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
});

function Inside({ server }: { server: ServerInfo }) {
  const { showPayloads } = useSettings();
  const hidden = server.busy - server.workers.length;
  return (
    <Stack gap="sm" p="md" bg="var(--mantine-color-default-hover)" component="section" aria-label={nameOf(server)}>
      <Group gap="6px 24px">
        <Group gap={6} wrap="nowrap">
          <Text size="xs" c="dimmed">
            {words.id}
          </Text>
          <Code style={{ overflowWrap: "anywhere" }}>{server.id}</Code>
          <CopyButton value={server.id} label={words.id} />
        </Group>
        <Group gap={6}>
          <Text size="xs" c="dimmed">
            {words.handles}
          </Text>
          {server.handles === null || server.handles === undefined ? (
            <Text size="sm">{words.handlesUnknown}</Text>
          ) : server.handles.length === 0 ? (
            <Text size="sm">{words.handlesNothing}</Text>
          ) : (
            server.handles.map((pattern) => (
              <TextLink
                key={pattern}
                to="/tasks"
                search={{ type: /[:/]$/.test(pattern) ? `${pattern}*` : pattern }}
                size="sm"
                className="mono"
              >
                {pattern}
              </TextLink>
            ))
          )}
        </Group>
        {server.app_version && <Version name={words.appVersion} version={server.app_version} />}
        {server.asynqpy_version && <Version name={words.asynqpyVersion} version={server.asynqpy_version} />}
        {Object.keys(server.queues).length > 1 && (
          <Text size="xs" c="dimmed">
            {server.strict_priority ? words.strictHint : words.weighted}
          </Text>
        )}
      </Group>
      {server.workers.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.running.nothing}
        </Text>
      ) : (
        <DataTable
          label={`${words.running.title}: ${nameOf(server)}`}
          minWidth={760}
          columns={[
            { key: "task", text: words.running.task },
            { key: "type", text: words.running.type },
            { key: "queue", text: words.running.queue },
            { key: "since", text: words.running.since },
            { key: "deadline", text: words.running.deadline },
            ...(showPayloads ? [{ key: "payload", text: words.running.payload }] : []),
            { key: "cancel", text: "", width: 1 },
          ]}
        >
          {server.workers
            .toSorted((a, b) => (a.started < b.started ? -1 : 1))
            .map((task) => (
              <Running key={`${task.queue}/${task.task_id}`} task={task} showPayloads={showPayloads} />
            ))}
        </DataTable>
      )}
      {hidden > 0 && (
        <Text size="xs" c="dimmed">
          {words.running.others(hidden)}
        </Text>
      )}
    </Stack>
  );
}

const Version = ({ name, version }: { name: string; version: string }) => (
  <Group gap={6} wrap="nowrap">
    <Text size="xs" c="dimmed">
      {name}
    </Text>
    <Text size="sm" style={{ overflowWrap: "anywhere" }}>
      {version}
    </Text>
  </Group>
);

const Running = memo(function Running({ task, showPayloads }: { task: Schemas["RunningTask"]; showPayloads: boolean }) {
  return (
    <Table.Tr data-task={task.task_id}>
      <Table.Td>
        <TextLink
          to="/queues/$queue/tasks/$taskId"
          params={{ queue: task.queue, taskId: task.task_id }}
          size="sm"
          className="mono"
          style={{ overflowWrap: "anywhere" }}
        >
          {task.task_id}
        </TextLink>
      </Table.Td>
      <Table.Td miw={130} style={{ overflowWrap: "anywhere" }}>
        {task.type}
      </Table.Td>
      <Table.Td>
        <TextLink to="/queues/$queue" params={{ queue: task.queue }} size="sm">
          {task.queue}
        </TextLink>
      </Table.Td>
      <Table.Td>
        <Moment at={task.started} />
      </Table.Td>
      <Table.Td>
        <Moment at={task.deadline} fallback={words.running.none} />
      </Table.Td>
      {showPayloads && (
        <Table.Td maw={260}>
          <Text size="xs" className="mono" lineClamp={1} style={{ overflowWrap: "anywhere" }}>
            {task.payload.kind === "hidden" ? words.running.hidden : task.payload.text}
          </Text>
        </Table.Td>
      )}
      <Table.Td ta="right">
        <Cancel task={task} />
      </Table.Td>
    </Table.Tr>
  );
});

function Cancel({ task }: { task: Schemas["RunningTask"] }) {
  const confirm = useConfirm();
  const { data: meta } = useQuery(metaQuery);
  const queue = useQueues()[task.queue];
  // Asked stays asked until the task ends: its worker may take a while.
  const [isAsked, setIsAsked] = useState(false);
  if (!meta?.actions.active?.includes("cancel") || !queue?.permissions.includes("cancel")) return null;
  if (isAsked || task.cancel_requested_at) {
    return (
      <Badge variant="light" color="yellow" tt="none" miw="max-content">
        {words.running.stopping}
      </Badge>
    );
  }
  const cancel = async () => {
    if (meta.must_confirm.includes("cancel") && !(await confirm({ ...words.running.confirm, isDangerous: true })))
      return;
    try {
      await answer(
        api.POST("/api/v2/queues/{queue}/tasks/{task_id}/actions/{action}", {
          params: { path: { queue: task.queue, task_id: task.task_id, action: "cancel" } },
        }),
      );
      setIsAsked(true);
      say.done(words.running.asked(task.task_id));
    } catch (error) {
      say.failed(words.running.failed, error);
    }
  };
  return (
    <Button
      size="compact-xs"
      variant="default"
      onClick={() => void cancel()}
      aria-label={words.running.cancelTask(task.task_id)}
    >
      {words.running.cancel}
    </Button>
  );
}
