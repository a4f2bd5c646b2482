/** Periodic tasks, and what they have enqueued. */
import { Alert, Badge, Button, Code, Group, Paper, Stack, Table, Text } from "@mantine/core";
import { IconAlertTriangle, IconCalendarOff, IconHistory, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { memo, useCallback, useMemo, useState } from "react";
import { answer, api, type SchedulerEntry, type Task } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { useConfirm } from "~/components/Confirm";
import { type Column, FindTable } from "~/components/DataTable";
import { hinted } from "~/components/hints";
import { TextLink } from "~/components/links";
import { Moment, useNow } from "~/components/Moment";
import { Empty, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { command } from "~/lib/cli";
import { count } from "~/lib/format";
import { say } from "~/lib/say";
import { useSettings } from "~/lib/settings";
import { useIsLoaded, useLive, useQueues, useSchedulers } from "~/live/hooks";
import type { ScheduleSearch } from "~/routes";
import { schedules as words } from "~/strings/schedules";
import { isMissed, listed, meaning, nextRuns, type Shared, shared, specAndZone } from "./entries";
import { History } from "./History";

const route = getRouteApi("/schedulers");

const COLUMNS: Column[] = [
  { key: "type", text: words.columns.type, isSortable: true },
  { key: "spec", text: words.columns.spec, isSortable: true },
  { key: "queue", text: words.columns.queue, isSortable: true },
  { key: "next", text: words.columns.next, isSortable: true },
  { key: "previous", text: words.columns.previous, isSortable: true },
  { key: "options", text: words.columns.options },
  { key: "actions", text: "", width: 1 },
];

export default function Schedules() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isLoaded = useIsLoaded();
  const live = useSchedulers();
  const all = useMemo(() => Object.values(live), [live]);
  const entries = useMemo(() => shared(all), [all]);
  const rows = useMemo(() => {
    const byEntry = new Map(entries.map((each) => [each.entry, each]));
    return listed([...byEntry.keys()], search).flatMap((entry) => byEntry.get(entry) ?? []);
  }, [entries, search]);
  const schedulers = useMemo(() => {
    const counts = new Map<string, number>();
    for (const entry of all) counts.set(entry.scheduler, (counts.get(entry.scheduler) ?? 0) + 1);
    return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }, [all]);
  const change = (parts: Partial<ScheduleSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...parts }), replace: true });

  const open = useCallback(
    (id: string) => void navigate({ search: (before) => ({ ...before, entry: id }) }),
    [navigate],
  );

  return (
    <>
      <PageHeader
        title={words.title}
        cli={[command("cron", "ls"), ...(search.entry ? [command("cron", "history", search.entry)] : [])]}
        http={["GET /api/v2/schedulers", ...(search.entry ? [`GET /api/v2/schedulers/${search.entry}/events`] : [])]}
      />
      {!isLoaded ? (
        <Loading lines={6} />
      ) : all.length === 0 ? (
        <Empty title={words.noneTitle} icon={<IconCalendarOff size={26} />}>
          {words.noneText} <Code>{command("scheduler", "MODULE:SCHEDULER")}</Code>
        </Empty>
      ) : (
        <Stack gap="md">
          <Paper withBorder p="md" component="section" aria-label={words.schedulers}>
            <Text size="xs" c="dimmed" mb={4}>
              {words.schedulers}
            </Text>
            <Group gap="6px 24px">
              {schedulers.map(([name, n]) => (
                <Group gap={8} key={name}>
                  <Badge variant="dot" color="teal" tt="none" size="lg" maw="100%" title={name}>
                    {shortName(name)}
                  </Badge>
                  <Text size="sm" c="dimmed">
                    {words.entries(count(n), n === 1)}
                  </Text>
                </Group>
              ))}
            </Group>
          </Paper>
          <Warnings entries={entries} />
          <FindTable
            label={words.list}
            find={words.find}
            none={words.none}
            columns={COLUMNS}
            minWidth={980}
            sort="next"
            search={search}
            change={change}
          >
            {rows.map(({ entry, schedulers, isTwice }) => (
              <Row key={entry.id} entry={entry} schedulers={schedulers} isTwice={isTwice} open={open} />
            ))}
          </FindTable>
        </Stack>
      )}
      <History
        id={search.entry}
        entry={all.find((entry) => entry.id === search.entry)}
        onClose={() => change({ entry: undefined })}
      />
    </>
  );
}

/** host:pid:uuid without most of the uuid. */
const shortName = (name: string): string => name.replace(/:([0-9a-f]{8})[0-9a-f-]{20,}$/, "");

/** The time now where what is shown is live; else nothing can be said of being late. */
function useLiveNow(): number {
  const now = useNow();
  const isLive = useLive((live) => live.status === "live" || live.status === "polling");
  return isLive ? now : 0;
}

function Warnings({ entries }: { entries: Shared[] }) {
  const now = useLiveNow();
  const missed = entries.filter(({ entry }) => isMissed(entry, now)).length;
  const duplicates = entries.filter((each) => each.isTwice).length;
  return (
    <>
      {missed > 0 && (
        <Alert color="red" icon={<IconAlertTriangle />} py="xs">
          <Text size="sm">
            {words.missedWarning(missed)} {words.missedHint}
          </Text>
        </Alert>
      )}
      {duplicates > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle />} py="xs">
          <Text size="sm">{words.duplicateWarning(duplicates)}</Text>
        </Alert>
      )}
    </>
  );
}

const Row = memo(function Row({
  entry,
  schedulers,
  isTwice,
  open,
}: {
  entry: SchedulerEntry;
  schedulers: number;
  isTwice: boolean;
  open: (id: string) => void;
}) {
  const { spec, zone } = specAndZone(entry.spec);
  const { showPayloads } = useSettings();
  const runs = nextRuns(entry);
  const said = meaning(entry.spec);
  return (
    <Table.Tr data-entry={entry.id}>
      <Table.Td maw={300}>
        <Text size="sm" fw={500} style={{ overflowWrap: "anywhere" }}>
          {entry.type}
        </Text>
        {showPayloads && entry.payload.text && (
          <Text size="xs" c="dimmed" className="mono" lineClamp={1} style={{ overflowWrap: "anywhere" }}>
            {entry.payload.text}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Text size="sm" className="mono nowrap">
          {spec}
        </Text>
        {(said || zone) && (
          <Text size="xs" c="dimmed">
            {[said, zone && words.zone(zone)].filter(Boolean).join(", ")}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <TextLink to="/queues/$queue" params={{ queue: entry.queue }} size="sm">
          {entry.queue}
        </TextLink>
      </Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap">
          <Next entry={entry} />
        </Group>
        {runs.length > 1 && (
          <Text size="xs" c="dimmed" component="div">
            {runs.slice(1, 3).map((at, i) => (
              <span key={at}>
                {i > 0 && ", "}
                <Moment at={at} />
              </span>
            ))}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Moment at={entry.previous_enqueue_at} fallback={words.never} />
      </Table.Td>
      <Table.Td>
        <Group gap={4}>
          {schedulers > 1 && (
            <Badge {...hinted(words.sharedHint)} color="gray" variant="light" size="sm" tt="none" miw="max-content">
              {words.shared(schedulers)}
            </Badge>
          )}
          {isTwice && (
            <Badge
              {...hinted(words.duplicateHint)}
              color="yellow"
              variant="light"
              size="sm"
              tt="none"
              miw="max-content"
            >
              {words.duplicate}
            </Badge>
          )}
          {entry.options.map((option) => (
            <Code key={option} fz="xs">
              {option}
            </Code>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap" justify="flex-end">
          <Button
            size="compact-xs"
            variant="default"
            leftSection={<IconHistory size={14} />}
            aria-label={words.historyOf(entry.type)}
            onClick={() => open(entry.id)}
          >
            {words.history}
          </Button>
          <RunNow entry={entry} />
        </Group>
      </Table.Td>
    </Table.Tr>
  );
});

function Next({ entry }: { entry: SchedulerEntry }) {
  const now = useLiveNow();
  const at = entry.next_enqueue_at;
  if (!isMissed(entry, now)) {
    // Schedulers announce themselves every few seconds, so a moment that has just passed is still told as the next.
    return at != null && new Date(at).getTime() < now ? words.due : <Moment at={at} />;
  }
  return (
    <>
      <Moment at={at} />
      <Badge {...hinted(words.missedHint)} color="red" variant="light" size="sm" tt="none" miw="max-content">
        {words.missed}
      </Badge>
    </>
  );
}

function RunNow({ entry }: { entry: SchedulerEntry }) {
  const confirm = useConfirm();
  const client = useQueryClient();
  const { data: meta } = useQuery(metaQuery);
  const permissions = useQueues()[entry.queue]?.permissions ?? meta?.user.permissions ?? [];
  const [isRunning, setIsRunning] = useState(false);
  if (!permissions.includes("enqueue")) return null;
  const run = async () => {
    const isSure = await confirm({
      title: words.confirm.title(entry.type),
      body: words.confirm.body(entry.queue),
      yes: words.run,
    });
    if (!isSure) return;
    setIsRunning(true);
    try {
      const task = (await answer(
        api.POST("/api/v2/schedulers/{entry_id}/run", { params: { path: { entry_id: entry.id } } }),
      )) as Task;
      say.made(words.ran(entry.type), task);
      void client.invalidateQueries({ queryKey: ["schedule events", entry.id] });
    } catch (error) {
      say.failed(words.runFailed, error);
    } finally {
      setIsRunning(false);
    }
  };
  return (
    <Button
      size="compact-xs"
      variant="light"
      leftSection={<IconPlayerPlay size={14} />}
      aria-label={words.runOne(entry.type)}
      loading={isRunning}
      onClick={() => void run()}
    >
      {words.run}
    </Button>
  );
}
