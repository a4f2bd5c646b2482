/** One group: what has failed, where, and what can be done about it. */
import { Badge, Box, Button, Code, Group, Paper, SimpleGrid, Stack, Table, Text, Title, Tooltip } from "@mantine/core";
import { IconArchive, IconListDetails, IconPlayerPlay, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Action, TaskState } from "~/api/client";
import { metaQuery } from "~/api/queries";
import type { BulkRequest } from "~/components/BulkDialog";
import { CopyButton } from "~/components/CopyButton";
import { hinted } from "~/components/hints";
import { ButtonLink, TextLink } from "~/components/links";
import { Moment } from "~/components/Moment";
import { PageHeader } from "~/components/PageHeader";
import { Sparkline } from "~/components/Sparkline";
import { command, quoted } from "~/lib/cli";
import { count } from "~/lib/format";
import { COLOR } from "~/lib/states";
import type { TaskSearch } from "~/routes";
import { usePageActions } from "~/shell/pageActions";
import { STATE_NAMES } from "~/strings/common";
import { failures as words } from "~/strings/failures";
import { affected } from "./affected";
import { commonPart, FAILED, type Failure, type FailureFilter, jobFilter, known, rankedWithUnknown } from "./groups";

type BulkAction = Extract<Action, "run" | "archive" | "delete">;
const BULK_ACTIONS: readonly BulkAction[] = ["run", "archive", "delete"];
const ICONS = { run: IconPlayerPlay, archive: IconArchive, delete: IconTrash };
const MOST_NAMES = 12;

export function FailureDetails({
  group,
  filter,
  act,
}: {
  group: Failure;
  filter: FailureFilter;
  /** Begins something with all tasks of the group. */
  act: (request: BulkRequest) => void;
}) {
  const tasks: TaskSearch = { ...filter, state: filter.state ?? [...FAILED], fingerprint: group.fingerprint };
  const { sample } = group;
  return (
    <>
      <PageHeader
        title={group.error_class || words.unnamed}
        crumbs={[{ text: words.back, to: "/failures" }]}
        actions={
          <>
            <ButtonLink
              to="/tasks"
              search={tasks}
              variant="default"
              size="xs"
              leftSection={<IconListDetails size={16} />}
            >
              {words.list}
            </ButtonLink>
            <Actions group={group} filter={filter} act={act} />
          </>
        }
        cli={equivalents(group, filter)}
        http={[
          "GET /api/v2/failures",
          `POST /api/v2/jobs {"action": "run", "filter": {"fingerprint": "${group.fingerprint}"}}`,
        ]}
      />
      <Stack gap="md">
        <Paper withBorder p="md">
          <Text className="mono" size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
            {group.text}
          </Text>
          {group.text.includes("<") && (
            <Text size="xs" c="dimmed" mt={4}>
              {words.textHint}
            </Text>
          )}
          <Group mt="md" gap="12px 32px" align="flex-start">
            <Fact title={words.states}>
              <Group gap={6}>
                {Object.entries(group.states).map(([state, n]) => (
                  <Badge key={state} variant="light" tt="none" color={COLOR[state as TaskState]}>
                    {STATE_NAMES[state as TaskState]} {count(n ?? 0)}
                  </Badge>
                ))}
              </Group>
            </Fact>
            <Fact title={words.where} hint={words.whereHint}>
              {affected(group)}
            </Fact>
            <Fact title={words.seen}>
              <Moment at={group.last_seen} />
            </Fact>
            <Fact title={words.seenFirst} hint={words.firstHint}>
              <Moment at={group.first_seen} />
            </Fact>
            <Fact title={words.trendTitle} hint={words.trendHint}>
              <Sparkline
                values={group.trend}
                label={words.trend(count(group.trend.reduce((sum, n) => sum + n, 0)))}
                color="var(--mantine-color-red-6)"
                width={220}
                height={32}
              />
            </Fact>
          </Group>
        </Paper>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <Counts title={words.queues} counts={group.queues} searchOf={(queue) => ({ ...tasks, queue: [queue] })} />
          <Counts title={words.types} counts={group.types} searchOf={(type) => ({ ...tasks, type })} />
          <Counts
            title={words.servers}
            counts={group.servers}
            hint={group.servers[""] ? words.unknownServers : undefined}
            more={group.server_count - known(group.servers).length}
          />
          <Counts
            title={words.versions}
            counts={group.versions}
            hint={group.versions[""] ? words.unknownVersions : undefined}
          />
        </SimpleGrid>
        <Paper withBorder p="md">
          <Title order={2} size="h5">
            {words.frames}
          </Title>
          {group.frames.length ? (
            <>
              <Text size="xs" c="dimmed" mb="xs">
                {words.framesHint}
              </Text>
              <Box component="ol" m={0} pl="lg">
                {group.frames.map((frame) => (
                  <li key={frame}>
                    <Text size="sm" className="mono" style={{ overflowWrap: "anywhere" }}>
                      {frame}
                    </Text>
                  </li>
                ))}
              </Box>
            </>
          ) : (
            <Text size="sm" c="dimmed" mt={4}>
              {words.noFrames}
            </Text>
          )}
        </Paper>
        <Paper withBorder p="md">
          <Title order={2} size="h5" mb={4}>
            {words.sample}
          </Title>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            <TextLink
              to="/queues/$queue/tasks/$taskId"
              params={{ queue: sample.queue, taskId: sample.id }}
              size="sm"
              className="mono"
            >
              {sample.id}
            </TextLink>{" "}
            {sample.type} · {sample.queue} · <Moment at={sample.last_failed_at} />
          </Text>
          <Lines title={words.lastError} text={sample.last_error} />
          {group.sample_traceback && <Lines title={words.traceback} text={group.sample_traceback} />}
        </Paper>
      </Stack>
    </>
  );
}

function Actions({
  group,
  filter,
  act,
}: {
  group: Failure;
  filter: FailureFilter;
  act: (request: BulkRequest) => void;
}) {
  const { data: meta } = useQuery(metaQuery);
  const fits = (action: BulkAction) =>
    Object.entries(group.states)
      .filter(([state]) => meta?.actions[state as TaskState]?.includes(action))
      .reduce((sum, [, n]) => sum + (n ?? 0), 0);
  const allowed = BULK_ACTIONS.filter((action) => meta?.user.permissions.includes(action));
  const start = (action: BulkAction) => act({ action, filter: jobFilter(group.fingerprint, filter) });
  usePageActions(
    allowed
      .filter((action) => fits(action) > 0)
      .map((action) => ({ label: words.verbGroup(words.verbs[action]), run: () => start(action) })),
  );
  return allowed.map((action) => {
    const n = fits(action);
    const Icon = ICONS[action];
    return (
      <Tooltip key={action} label={words.noneFor(words.verbs[action])} disabled={n > 0}>
        <Button
          size="xs"
          variant={action === "run" ? "filled" : "light"}
          color={action === "delete" ? "red" : action === "archive" ? "gray" : undefined}
          leftSection={<Icon size={16} />}
          disabled={n === 0}
          onClick={() => start(action)}
        >
          {words.verbAll(words.verbs[action], count(n))}
        </Button>
      </Tooltip>
    );
  });
}

function equivalents(group: Failure, filter: FailureFilter): string[] {
  const find = [
    "task",
    "find",
    ...(filter.queue ?? []).flatMap((queue) => ["--queue", queue]),
    ...(filter.state ?? FAILED).flatMap((state) => ["--state", state]),
    ...(filter.type ? ["--type", filter.type] : []),
    "--error",
    commonPart(group),
  ];
  return [command(...find), `${command(...find, "--ids")} | ${["asynqpy", "task", "run", "-"].map(quoted).join(" ")}`];
}

function Fact({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  return (
    <Stack gap={2}>
      <Text {...hinted(hint)} size="xs" c="dimmed">
        {title}
      </Text>
      <Text size="sm" component="div">
        {children}
      </Text>
    </Stack>
  );
}

function Counts({
  title,
  counts,
  searchOf,
  hint,
  more = 0,
}: {
  title: string;
  counts: Readonly<Record<string, number>>;
  /** Where the tasks behind a name are; without it there is nothing to find them by. */
  searchOf?: (name: string) => TaskSearch;
  hint?: string;
  /** How many there are that *counts* does not name. */
  more?: number;
}) {
  const all = rankedWithUnknown(counts);
  const most = Math.max(1, ...all.map(([, n]) => n));
  const left = Math.max(0, all.length - MOST_NAMES) + more;
  return (
    <Paper withBorder p="md" style={{ minWidth: 0 }}>
      <Title order={2} size="h5" mb={4}>
        {title}
      </Title>
      <Table verticalSpacing={4} horizontalSpacing={0} fz="sm" withRowBorders={false} aria-label={title}>
        <Table.Tbody>
          {all.slice(0, MOST_NAMES).map(([name, n]) => (
            <Table.Tr key={name}>
              <Table.Td style={{ overflowWrap: "anywhere" }}>
                {searchOf ? (
                  <TextLink to="/tasks" search={searchOf(name)} size="sm">
                    {name}
                  </TextLink>
                ) : (
                  <Text size="sm" c={name ? undefined : "dimmed"} className={name ? "mono" : undefined}>
                    {name || words.unknown}
                  </Text>
                )}
              </Table.Td>
              <Table.Td w="40%" px="sm">
                <Box h={6} w={`${Math.max(2, (n / most) * 100)}%`} bg="red.6" style={{ borderRadius: 3 }} aria-hidden />
              </Table.Td>
              <Table.Td ta="right" w={1} className="nowrap">
                {count(n)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {left > 0 && (
        <Text size="xs" c="dimmed">
          {words.more(left)}
        </Text>
      )}
      {hint && (
        <Text size="xs" c="dimmed" mt={4}>
          {hint}
        </Text>
      )}
    </Paper>
  );
}

function Lines({ title, text }: { title: string; text: string }) {
  return (
    <Box mt="sm">
      <Group gap={4}>
        <Text size="xs" c="dimmed">
          {title}
        </Text>
        <CopyButton value={text} label={title} />
      </Group>
      <Code block style={{ overflowX: "auto", maxHeight: 420 }} tabIndex={0} aria-label={title}>
        {text}
      </Code>
    </Box>
  );
}
