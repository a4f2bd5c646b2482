/** Why a task does not run, or what it does instead. */
import { Alert, Badge, Card, Group, Stack, Text } from "@mantine/core";
import { IconBan, IconCircleCheck, IconClock, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { answer, api, type Schemas, type TaskDetails } from "~/api/client";
import { Moment } from "~/components/Moment";
import { Failed, Loading } from "~/components/Notice";
import { count } from "~/lib/format";
import { useLive, useOnChange } from "~/live/hooks";
import { task as words } from "~/strings/task";
import { FailuresLink, QueueLink, SearchLink, ServerLink } from "./links";
import { headline, sentence } from "./why";

type Reason = Schemas["Reason"];
const COLOR: Readonly<Record<Schemas["Weight"], string>> = { blocks: "red", delays: "yellow", tells: "gray" };

export function Why({ task }: { task: TaskDetails }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["task", task.queue, task.id, "why"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v2/queues/{queue}/tasks/{task_id}/why", {
          params: { path: { queue: task.queue, task_id: task.id } },
          signal,
        }),
      ),
    refetchOnMount: "always",
  });
  // What the reasons follow from, beside the task itself.
  const around = useLive((live) => {
    const numbers = live.queues[task.queue];
    const servers = Object.values(live.servers).filter((each) => task.queue in each.queues);
    const states = servers.map((each) => `${each.id} ${each.status} ${each.busy}`);
    return [numbers?.paused, numbers?.pending, ...states.sort()].join();
  });
  useOnChange(around, () => void refetch());
  if (error) return <Failed error={error} again={() => void refetch()} />;
  if (!data) return <Loading />;
  const top = headline(data);
  const isDone = data.state === "completed";
  const isRunning = data.state === "active" && !top.weight;
  const Icon = isDone ? IconCircleCheck : isRunning ? IconPlayerPlay : top.weight === "blocks" ? IconBan : IconClock;
  const color = top.weight === "blocks" ? "red" : top.weight === "delays" ? "yellow" : "teal";
  return (
    <Stack gap="sm">
      <Alert color={color} icon={<Icon />} role="status">
        <Text fw={600}>{top.text}</Text>
      </Alert>
      {data.items.map((reason) => (
        <Card key={reason.cause} withBorder padding="sm" component="article">
          <Stack gap={6}>
            <Group gap="xs" wrap="nowrap" align="flex-start">
              <Badge color={COLOR[reason.weight]} variant="light" tt="none" style={{ flexShrink: 0 }} mt={2}>
                {words.why.weights[reason.weight]}
              </Badge>
              <Text style={{ overflowWrap: "anywhere" }}>{sentence(reason.text)}</Text>
            </Group>
            {reason.remedy && (
              <Text size="sm">
                <Text span c="dimmed" size="sm">
                  {words.why.remedy}:{" "}
                </Text>
                {sentence(reason.remedy)}
              </Text>
            )}
            <Group gap="lg" fz="sm">
              <Links reason={reason} task={task} />
              <ReasonFacts facts={reason.facts} />
            </Group>
          </Stack>
        </Card>
      ))}
    </Stack>
  );
}

function Links({ reason, task }: { reason: Reason; task: TaskDetails }) {
  const links = words.why.links;
  const found: ReactNode[] = [];
  const { server, queues } = reason.facts as { server?: string; queues?: string[] };
  switch (reason.cause) {
    case "queue_paused":
    case "queued_behind":
      found.push(
        <QueueLink key="queue" queue={task.queue} size="sm">
          {links.queue} {task.queue}
        </QueueLink>,
      );
      break;
    case "no_server":
    case "servers_stopped":
    case "type_unknown":
    case "type_perhaps_unknown":
    case "slots_busy":
      found.push(
        <ServerLink key="servers" size="sm">
          {links.servers}
        </ServerLink>,
      );
      break;
    case "group_waits":
      found.push(
        <SearchLink key="group" search={{ queue: [task.queue], group: task.group }} size="sm">
          {links.group} {task.group}
        </SearchLink>,
      );
      break;
    case "retry_later":
    case "retries_spent":
    case "archived":
      if (task.fingerprint) {
        found.push(
          <FailuresLink key="failures" search={{ fingerprint: task.fingerprint }} size="sm">
            {links.failures}
          </FailuresLink>,
        );
      }
      break;
  }
  if (typeof server === "string") {
    found.push(
      <ServerLink key="server" server={server} size="sm">
        {links.server}
      </ServerLink>,
    );
  }
  for (const queue of Array.isArray(queues) ? queues : []) {
    found.push(
      <QueueLink key={`queue ${queue}`} queue={queue} size="sm">
        {links.queue} {queue}
      </QueueLink>,
    );
  }
  return found;
}

const TIMES = new Set(["due", "started", "deadline"]);
const SHOWN_ELSEWHERE = new Set(["server", "queues", "group", "task_id"]);

function ReasonFacts({ facts }: { facts: Record<string, unknown> }) {
  return Object.entries(facts).map(([name, value]) => {
    if (SHOWN_ELSEWHERE.has(name) || value === null) return null;
    return (
      <Text key={name} size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {words.why.facts[name] ?? name}:{" "}
        {TIMES.has(name) ? (
          <Moment at={String(value)} />
        ) : typeof value === "number" ? (
          count(value)
        ) : typeof value === "string" ? (
          value
        ) : (
          JSON.stringify(value)
        )}
      </Text>
    );
  });
}
