/** Actions on many tasks: those that run, and what became of the others. */
import { Badge, Button, Checkbox, Code, Drawer, Group, Paper, Progress, Stack, Table, Text } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError, answer, api, type Job, type Schemas } from "~/api/client";
import { TextLink } from "~/components/links";
import { Moment } from "~/components/Moment";
import { Empty, Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { downloadLines } from "~/lib/download";
import { count } from "~/lib/format";
import { say } from "~/lib/say";
import { useIsLoaded, useJobs } from "~/live/hooks";
import { jobs as words } from "~/strings/jobs";
import { VERBS } from "~/strings/tasks";

const COLORS: Readonly<Record<Job["state"], string>> = {
  running: "blue",
  done: "teal",
  cancelled: "yellow",
  failed: "red",
};

export default function Jobs() {
  const { job: open } = useSearch({ from: "/jobs" });
  const navigate = useNavigate({ from: "/jobs" });
  const jobs = useJobs();
  const isLoaded = useIsLoaded();
  const rows = Object.values(jobs).sort((one, other) => other.created_at.localeCompare(one.created_at));
  const show = (job: string | undefined) => void navigate({ search: { job } });
  return (
    <>
      <PageHeader title={words.title} http={["GET /api/v2/jobs", "POST /api/v2/jobs"]} />
      {!isLoaded ? (
        <Loading />
      ) : rows.length === 0 ? (
        <Empty title={words.emptyTitle}>{words.emptyText}</Empty>
      ) : (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={720}>
            <Table highlightOnHover aria-label={words.title}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{words.columns.what}</Table.Th>
                  <Table.Th w={120}>{words.columns.by}</Table.Th>
                  <Table.Th w={120}>{words.columns.began}</Table.Th>
                  <Table.Th w={260}>{words.columns.progress}</Table.Th>
                  <Table.Th w={110}>{words.columns.state}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((job) => (
                  <Table.Tr key={job.id} style={{ cursor: "pointer" }} onClick={() => show(job.id)}>
                    <Table.Td>
                      <TextLink to="/jobs" search={{ job: job.id }} size="sm" c="inherit" fw={500}>
                        {VERBS[job.action]}
                      </TextLink>
                      <Text size="xs" c="dimmed" className="one-line">
                        {words.queues(job.queues)}
                      </Text>
                    </Table.Td>
                    <Table.Td>{job.user || "–"}</Table.Td>
                    <Table.Td>
                      <Moment at={job.created_at} />
                    </Table.Td>
                    <Table.Td>
                      <Advance job={job} />
                    </Table.Td>
                    <Table.Td>
                      <Badge color={COLORS[job.state]} variant="light" tt="none">
                        {words.states[job.state]}
                      </Badge>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <Drawer
        opened={open !== undefined}
        onClose={() => show(undefined)}
        position="right"
        size="lg"
        title={words.results}
      >
        {open && <One id={open} />}
      </Drawer>
    </>
  );
}

function Advance({ job }: { job: Job }) {
  const worked = job.done + job.failed;
  const left = job.total && (job.state === "cancelled" || job.state === "failed") ? job.total - worked : 0;
  return (
    <Stack gap={2}>
      {job.state === "running" && (
        <Progress
          value={job.total ? (worked / job.total) * 100 : 100}
          animated={!job.total}
          size="sm"
          aria-label={words.columns.progress}
        />
      )}
      <Text size="sm">
        {job.total && job.state === "running"
          ? words.progress(count(worked), count(job.total))
          : words.done(count(job.done))}
        {left > 0 && ` · ${words.left(count(left))}`}
        {job.failed > 0 && (
          <Text span c="var(--mantine-color-red-light-color)" size="sm">
            {" · "}
            {words.failed(count(job.failed))}
          </Text>
        )}
      </Text>
    </Stack>
  );
}

/** One job and what became of each of its tasks. */
function One({ id }: { id: string }) {
  const live = useJobs()[id];
  const [onlyFailed, setOnlyFailed] = useState(false);
  const told = useQuery({
    queryKey: ["job", id],
    queryFn: ({ signal }) => answer(api.GET("/api/v2/jobs/{job_id}", { params: { path: { job_id: id } }, signal })),
  });
  const job = live ?? told.data;
  const results = useInfiniteQuery({
    queryKey: ["job", id, "results", onlyFailed, job?.state, job?.done],
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET("/api/v2/jobs/{job_id}/results", {
          params: { path: { job_id: id }, query: { failed: onlyFailed || undefined, limit: 200, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: (before) => before,
    enabled: job !== undefined,
  });
  const stop = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v2/jobs/{job_id}", { params: { path: { job_id: id } } })),
    onError: (error) => say.failed(words.cancel, error),
  });
  // All of them, not only those that are shown; the server keeps ten thousand.
  const save = useMutation({
    mutationFn: async () => {
      const all: Schemas["JobResult"][] = [];
      let cursor: string | undefined;
      do {
        const page: Schemas["JobResultPage"] = await answer(
          api.GET("/api/v2/jobs/{job_id}/results", {
            params: { path: { job_id: id }, query: { failed: onlyFailed || undefined, limit: 1000, cursor } },
          }),
        );
        all.push(...page.items);
        cursor = page.next_cursor ?? undefined;
      } while (cursor);
      downloadLines(`job-${id}.jsonl`, all);
    },
    onError: (error) => say.failed(words.save, error),
  });
  if (!job && told.error) {
    return told.error instanceof ApiError && told.error.status === 404 ? (
      <Empty title={words.states.done}>{words.gone}</Empty>
    ) : (
      <Failed error={told.error} />
    );
  }
  if (!job) return <Loading />;
  const items = results.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Stack>
      <Group justify="space-between">
        <Text fw={600} size="lg">
          {VERBS[job.action]}
        </Text>
        <Badge color={COLORS[job.state]} variant="light" tt="none">
          {words.states[job.state]}
        </Badge>
      </Group>
      <Advance job={job} />
      {job.error && <Code block>{job.error}</Code>}
      {job.state === "running" && (
        <Button
          variant="default"
          onClick={() => stop.mutate()}
          loading={stop.isPending}
          title={words.cancelHint}
          style={{ alignSelf: "flex-start" }}
        >
          {words.cancel}
        </Button>
      )}
      <Group justify="space-between">
        <Checkbox
          label={words.onlyFailed}
          checked={onlyFailed}
          onChange={(event) => setOnlyFailed(event.currentTarget.checked)}
        />
        <Button
          size="compact-sm"
          variant="default"
          disabled={items.length === 0}
          loading={save.isPending}
          onClick={() => save.mutate()}
        >
          {words.save}
        </Button>
      </Group>
      {results.error && <Failed error={results.error} again={() => void results.refetch()} />}
      {results.data && items.length === 0 && (
        <Text size="sm" c="dimmed">
          {onlyFailed ? words.noFailed : words.noResults}
        </Text>
      )}
      <Stack gap={4}>
        {items.map((each) => (
          <Group key={`${each.queue}/${each.task_id}`} gap="xs" wrap="nowrap" justify="space-between">
            <TextLink
              to="/queues/$queue/tasks/$taskId"
              params={{ queue: each.queue, taskId: each.task_id }}
              size="sm"
              className="mono one-line"
            >
              {each.task_id}
            </TextLink>
            {each.new_task_id ? (
              <TextLink
                to="/queues/$queue/tasks/$taskId"
                params={{ queue: each.new_queue, taskId: each.new_task_id }}
                size="sm"
                className="one-line"
              >
                {each.new_task_id === each.task_id
                  ? words.movedTo(each.new_queue)
                  : words.copyIs(each.new_task_id.slice(0, 8))}
              </TextLink>
            ) : (
              <Text size="sm" c={each.error ? "var(--mantine-color-red-light-color)" : "dimmed"}>
                {each.error || words.resultOk}
              </Text>
            )}
          </Group>
        ))}
      </Stack>
      {results.hasNextPage && (
        <Button variant="default" onClick={() => void results.fetchNextPage()} loading={results.isFetchingNextPage}>
          {words.more}
        </Button>
      )}
    </Stack>
  );
}
