/** Something is done to all tasks of a group: looked at first, asked for, then followed to its end. */
import { Alert, Button, Code, Group, List, Progress, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { type Action, answer, api, type Filter, type Job, type Schemas } from "~/api/client";
import { useConfirm } from "~/components/Confirm";
import { TextLink } from "~/components/links";
import { count } from "~/lib/format";
import { say } from "~/lib/say";
import { useLive } from "~/live/hooks";
import { failures as words } from "~/strings/failures";

export type BulkAction = Extract<Action, "run" | "archive" | "delete">;
export const BULK_ACTIONS: readonly BulkAction[] = ["run", "archive", "delete"];

/** From this many tasks on, the word must be typed. */
const MANY = 100;
const MOST_SHOWN = 20;

export interface Started {
  job: Job;
  /** How many tasks were counted before it began. */
  expected: number;
}

/** What was begun here, and a function that asks and begins more. */
export function useBulk() {
  const confirm = useConfirm();
  const [started, setStarted] = useState<Started[]>([]);
  const [asking, setAsking] = useState<BulkAction>();

  const begin = useCallback(
    async (action: BulkAction, filter: Filter) => {
      setAsking(action);
      try {
        const preview = await answer(api.POST("/api/v2/jobs/preview", { body: { action, filter } }));
        setAsking(undefined);
        if (preview.matched === 0 && preview.coverage.is_complete) {
          say.done(words.ask.nothing);
          return;
        }
        const isSure = await confirm({
          title: words.ask.title(words.verbs[action], estimate(preview), preview.matched === 1),
          body: <WhatItDoes action={action} preview={preview} />,
          yes: words.verbAll(words.verbs[action], count(preview.matched)),
          isDangerous: action === "delete",
          word: preview.must_confirm && preview.matched >= MANY ? `${action} ${preview.matched}` : undefined,
        });
        if (!isSure) return;
        const job = (await answer(api.POST("/api/v2/jobs", { body: { action, filter } }))) as Job;
        setStarted((before) => [{ job, expected: preview.matched }, ...before]);
      } catch (error) {
        say.failed(words.ask.failed, error);
      } finally {
        setAsking(undefined);
      }
    },
    [confirm],
  );
  const forget = useCallback((id: string) => setStarted((before) => before.filter((each) => each.job.id !== id)), []);
  return { started, asking, begin, forget };
}

const estimate = (preview: Schemas["Preview"]): string =>
  preview.coverage.is_complete ? count(preview.matched) : words.ask.atLeast(count(preview.matched));

function WhatItDoes({ action, preview }: { action: BulkAction; preview: Schemas["Preview"] }) {
  const { coverage, sample } = preview;
  return (
    <Stack gap="sm">
      <Text size="sm">{words.ask[action]}</Text>
      {!coverage.is_complete && (
        <Text size="sm" c="dimmed">
          {words.ask.partly(count(coverage.scanned), count(coverage.total))}
        </Text>
      )}
      {sample.length > 0 && (
        <div>
          <Text size="xs" fw={600} c="dimmed" mb={4}>
            {words.ask.sample}
          </Text>
          <List size="sm" spacing={4} listStyleType="none">
            {sample.map((task) => (
              <List.Item key={`${task.queue}/${task.id}`} styles={{ itemWrapper: { minWidth: 0 } }}>
                <Text size="sm" className="mono" lineClamp={1} style={{ overflowWrap: "anywhere" }}>
                  {task.type}
                </Text>
                <Text size="xs" c="dimmed" lineClamp={1} style={{ overflowWrap: "anywhere" }}>
                  {task.queue} · {task.id}
                </Text>
              </List.Item>
            ))}
          </List>
        </div>
      )}
    </Stack>
  );
}

/** A job from its beginning to its end. */
export function BulkJob({ started, onClose }: { started: Started; onClose: () => void }) {
  const client = useQueryClient();
  const { id } = started.job;
  const live = useLive((now) => now.jobs[id]);
  const [told, setTold] = useState(started.job);
  const job = live && live.state !== "running" ? live : told.state !== "running" ? told : (live ?? told);
  const isRunning = job.state === "running";
  const verb = words.verbAll(words.verbs[job.action as BulkAction], count(started.expected));
  const worked = job.done + job.failed;
  const total = Math.max(job.total ?? started.expected, worked, 1);

  useEffect(() => {
    if (!isRunning) void client.invalidateQueries({ queryKey: ["failures"] });
  }, [isRunning, client]);

  const stop = async () => {
    try {
      setTold(await answer(api.DELETE("/api/v2/jobs/{job_id}", { params: { path: { job_id: id } } })));
    } catch (error) {
      say.failed(words.ask.failed, error);
    }
  };

  const color = job.state === "failed" || job.failed > 0 ? "red" : job.state === "cancelled" ? "yellow" : "teal";
  return (
    <Alert
      color={isRunning ? undefined : color}
      title={words.job[job.state](verb)}
      withCloseButton={!isRunning}
      onClose={onClose}
      closeButtonLabel={words.job.close}
      role="status"
      data-job={job.state}
    >
      <Stack gap="xs">
        {isRunning && (
          <Progress value={(worked / total) * 100} animated aria-label={words.job.bar} transitionDuration={200} />
        )}
        <Group gap="md">
          <Text size="sm">
            {isRunning ? words.job.progress(count(worked), count(total)) : words.job.result(count(job.done))}
          </Text>
          {job.failed > 0 && (
            <Text size="sm" c="red" fw={600}>
              {words.job.refused(count(job.failed))}
            </Text>
          )}
          {job.scanned > 0 && (
            <Text size="sm" c="dimmed">
              {words.job.scanned(count(job.scanned))}
            </Text>
          )}
          {isRunning && (
            <Button size="compact-xs" variant="default" onClick={() => void stop()} title={words.job.cancelHint}>
              {words.job.cancel}
            </Button>
          )}
          <TextLink to="/jobs" search={{ job: id }} size="sm">
            {words.job.details}
          </TextLink>
        </Group>
        {job.error && <Code block>{job.error}</Code>}
        {!isRunning && job.failed > 0 && <Refused id={id} failed={job.failed} />}
      </Stack>
    </Alert>
  );
}

/** The tasks of a job that it failed on, and why. */
function Refused({ id, failed }: { id: string; failed: number }) {
  const { data } = useQuery({
    queryKey: ["job", id, "failed"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v2/jobs/{job_id}/results", {
          params: { path: { job_id: id }, query: { failed: true, limit: MOST_SHOWN } },
          signal,
        }),
      ),
  });
  if (!data?.items.length) return null;
  return (
    <div>
      <Text size="xs" fw={600} mb={4}>
        {words.job.which}
      </Text>
      <Stack gap={2}>
        {data.items.map((each) => (
          <Text size="sm" key={`${each.queue}/${each.task_id}`} style={{ overflowWrap: "anywhere" }}>
            <TextLink to="/queues/$queue/tasks/$taskId" params={{ queue: each.queue, taskId: each.task_id }} size="sm">
              {each.task_id}
            </TextLink>{" "}
            {each.error}
          </Text>
        ))}
        {failed > data.items.length && (
          <Text size="sm" c="dimmed">
            {words.job.moreFailed(count(failed - data.items.length))}
          </Text>
        )}
      </Stack>
    </div>
  );
}
