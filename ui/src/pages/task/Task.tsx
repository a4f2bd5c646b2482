/** One task: what it is, what can be done to it, why it does not run, and what happened to it. */
import { Alert, Badge, Button, Card, Grid, Group, Progress, Stack, Tabs, Text, Title } from "@mantine/core";
import { IconGhost, IconMoodEmpty } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ApiError, type Task as ListedTask, type TaskDetails } from "~/api/client";
import { taskQuery } from "~/api/queries";
import { CopyButton } from "~/components/CopyButton";
import { hinted } from "~/components/hints";
import { Moment } from "~/components/Moment";
import { Empty, Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { PayloadViewer } from "~/components/payload/PayloadViewer";
import { Cancelling, StateBadge } from "~/components/StateBadge";
import { command } from "~/lib/cli";
import { percent } from "~/lib/format";
import { useLive, useOnChange, useWatchedTask } from "~/live/hooks";
import { TASK_TABS } from "~/routes";
import { task as words } from "~/strings/task";
import { Actions } from "./actions";
import { Facts } from "./Facts";
import { ErrorText, History } from "./History";
import { FailuresLink, QueueLink } from "./links";
import { Stored } from "./Stored";
import { Why } from "./Why";

const route = getRouteApi("/queues/$queue/tasks/$taskId");

export default function TaskPage() {
  const { queue, taskId } = route.useParams();
  return <OneTask key={`${queue}/${taskId}`} queue={queue} taskId={taskId} />;
}

/** What of a task, when it changes, changes more than its progress. */
const signature = (watched: ListedTask | null | undefined) =>
  watched && JSON.stringify({ ...watched, progress: null, progress_text: null, payload: watched.payload.size });

function OneTask({ queue, taskId }: { queue: string; taskId: string }) {
  const client = useQueryClient();
  const { data, error, refetch, dataUpdatedAt } = useQuery({
    ...taskQuery(queue, taskId),
    refetchOnMount: "always",
  });
  const watched = useWatchedTask(queue, taskId);
  const isHeard = watched !== undefined;
  useOnChange(isHeard ? (signature(watched) ?? null) : undefined, () => {
    if (watched !== null || !data) void client.invalidateQueries({ queryKey: ["task", queue, taskId] });
  });
  // The details may come from a moment before the stream's: then they are asked for again.
  const isLive = useLive((live) => live.status === "live");
  const isBehind = Boolean(
    isLive && watched && data && (watched.state !== data.state || watched.retried !== data.retried),
  );
  useOnChange(isBehind && dataUpdatedAt, () => {
    if (isBehind) void client.invalidateQueries({ queryKey: ["task", queue, taskId] });
  });
  // Where there is no stream, nobody tells of single tasks.
  const polledAt = useLive((live) => (live.status === "polling" ? live.heardAt : 0));
  useOnChange(polledAt, () => void client.invalidateQueries({ queryKey: ["task", queue, taskId] }));
  // Which server runs it comes later than its state: with the server's next heartbeat.
  const worker = useLive((live) => {
    const server = Object.values(live.servers).find((each) =>
      each.workers.some((running) => running.queue === queue && running.task_id === taskId),
    );
    return server?.id;
  });
  useOnChange(worker, () => {
    if (worker) void client.invalidateQueries({ queryKey: ["task", queue, taskId] });
  });
  const isMissing = error instanceof ApiError && error.status === 404;
  if (!data) {
    if (isMissing) return <NoTask queue={queue} taskId={taskId} />;
    return (
      <>
        <PageHeader title={taskId} crumbs={[{ text: queue, to: "/queues/$queue", params: { queue } }]} />
        {error ? <Failed error={error} again={() => void refetch()} /> : <Loading />}
      </>
    );
  }
  const isGone = isMissing || (watched === null && polledAt === 0);
  const progress = watched?.state === data.state && watched.progress !== null ? watched : data;
  return <Found task={data} progress={progress} isGone={isGone} readAt={dataUpdatedAt} />;
}

interface FoundProps {
  task: TaskDetails;
  progress: Pick<ListedTask, "progress" | "progress_text">;
  isGone: boolean;
  readAt: number;
}

function Found({ task, progress, isGone, readAt }: FoundProps) {
  const { tab = "details" } = route.useSearch();
  const navigate = route.useNavigate();
  const where = ["--queue", task.queue, "--id", task.id];
  const cli = [
    ...task.cli,
    ...task.actions.filter((action) => action !== "move").map((action) => command("task", action, ...where)),
    ...(task.may_reschedule ? [command("task", "reschedule", ...where, "--in", "15m")] : []),
  ];
  const path = `/api/v2/queues/${encodeURIComponent(task.queue)}/tasks/${encodeURIComponent(task.id)}`;
  const http = [
    `GET ${path}`,
    `GET ${path}/why`,
    ...task.actions.map((action) =>
      action === "edit"
        ? `PUT ${path}/payload {"payload": …}`
        : `POST ${path}/actions/${action}${action === "move" ? ' {"to_queue": "QUEUE"}' : ""}`,
    ),
    ...(task.may_reschedule ? [`POST ${path}/reschedule {"process_in_seconds": 900}`] : []),
  ];
  const needsReason = task.state !== "active" && task.state !== "completed";
  return (
    <>
      <PageHeader
        title={task.type || task.id}
        crumbs={[
          { text: words.crumbTasks, to: "/tasks" },
          { text: task.queue, to: "/queues/$queue", params: { queue: task.queue } },
        ]}
        beside={
          <>
            <StateBadge state={task.state} size="md" />
            <Cancelling at={task.cancel_requested_at} size="md" />
            {task.is_orphaned && (
              <Badge {...hinted(words.orphanedHint)} color="red" variant="light" tt="none">
                {words.orphaned}
              </Badge>
            )}
            {!task.is_readable && (
              <Badge color="red" variant="light" tt="none">
                {words.unreadable}
              </Badge>
            )}
          </>
        }
        actions={!isGone && <Actions task={task} />}
        cli={cli}
        http={http}
      />
      <Group gap={6} mt={-8} mb="md" wrap="nowrap">
        <Text size="sm" c="dimmed" className="mono" style={{ overflowWrap: "anywhere" }}>
          {task.id}
        </Text>
        <CopyButton value={task.id} label={words.id} />
      </Group>
      {isGone && (
        <Alert color="gray" icon={<IconGhost />} title={words.goneTitle} mb="md" role="status">
          <Stack gap="xs" align="flex-start">
            <Text size="sm">{words.goneText}</Text>
            <Elsewhere queue={task.queue} taskId={task.id} />
          </Stack>
        </Alert>
      )}
      {!task.is_readable && (
        <Alert color="orange" title={words.unreadableTitle} mb="md">
          {words.unreadableText}
        </Alert>
      )}
      {task.state === "active" && progress.progress !== null && (
        <Stack gap={4} mb="md">
          <Group justify="space-between" gap="xs">
            <Text size="sm">{progress.progress_text || words.progress}</Text>
            <Text size="sm" c="dimmed">
              {percent(Math.round(progress.progress * 1000) / 1000)}
            </Text>
          </Group>
          <Progress value={progress.progress * 100} aria-label={words.progress} size="sm" />
        </Stack>
      )}
      <Tabs
        value={tab}
        onChange={(value) =>
          void navigate({
            search: { tab: TASK_TABS.find((each) => each === value && each !== "details") },
            replace: true,
          })
        }
        keepMounted={false}
      >
        <Tabs.List mb="md" aria-label={words.tabsLabel} style={{ overflowX: "auto", flexWrap: "nowrap" }}>
          {TASK_TABS.map((each) => (
            <Tabs.Tab key={each} value={each} style={{ flexShrink: 0 }}>
              {each === "why" && !needsReason ? words.why.title : words.tabs[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="details">
          <Details task={task} />
        </Tabs.Panel>
        <Tabs.Panel value="why">
          <Why task={task} />
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <History task={task} readAt={readAt} />
        </Tabs.Panel>
        <Tabs.Panel value="stored">
          <Stored queue={task.queue} taskId={task.id} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

function Details({ task }: { task: TaskDetails }) {
  const isHidden = task.payload_etag === null;
  const where = { queue: task.queue, taskId: task.id, isHidden };
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, md: 8 }}>
        <Stack gap="lg">
          {task.last_error && (
            <Card withBorder component="section">
              <Group justify="space-between" mb="xs" gap="xs">
                <Title order={2} size="h5">
                  {words.error.title}
                </Title>
                <Group gap="md">
                  {task.last_failed_at && (
                    <Text size="sm" c="dimmed">
                      {words.error.when} <Moment at={task.last_failed_at} />
                    </Text>
                  )}
                  {task.fingerprint && (
                    <FailuresLink search={{ fingerprint: task.fingerprint }} size="sm">
                      {words.error.similar}
                    </FailuresLink>
                  )}
                </Group>
              </Group>
              <ErrorText error={task.last_error} traceback={task.traceback} />
            </Card>
          )}
          {task.is_readable && (
            <Card withBorder component="section">
              <Title order={2} size="h5" mb="xs">
                {words.payloadTitle}
              </Title>
              <PayloadViewer content={task.payload} what="payload" {...where} />
            </Card>
          )}
          {task.result && (
            <Card withBorder component="section">
              <Title order={2} size="h5" mb="xs">
                {words.resultTitle}
              </Title>
              <PayloadViewer content={task.result} what="result" {...where} />
            </Card>
          )}
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 4 }}>
        <Card withBorder component="section">
          <Title order={2} size="h5" mb="xs">
            {words.facts.title}
          </Title>
          <Facts task={task} />
        </Card>
      </Grid.Col>
    </Grid>
  );
}

function Elsewhere({ queue, taskId }: { queue: string; taskId: string }) {
  return (
    <Group gap="md">
      <Button size="xs" variant="light" renderRoot={(props) => <Link to="/tasks" search={{ id: taskId }} {...props} />}>
        {words.searchById}
      </Button>
      <QueueLink queue={queue} size="sm">
        {words.toQueue(queue)}
      </QueueLink>
    </Group>
  );
}

function NoTask({ queue, taskId }: { queue: string; taskId: string }) {
  return (
    <>
      <PageHeader title={taskId} crumbs={[{ text: queue, to: "/queues/$queue", params: { queue } }]} />
      <Empty title={words.noneTitle} icon={<IconMoodEmpty size={26} />}>
        <Stack align="center" gap="md">
          <span style={{ overflowWrap: "anywhere" }}>{words.noneText(taskId, queue)}</span>
          <Elsewhere queue={queue} taskId={taskId} />
        </Stack>
      </Empty>
    </>
  );
}
