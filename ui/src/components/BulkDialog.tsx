/** An action on many tasks: counted and shown first, confirmed as its damage asks for, then followed to its end. */
import { Alert, Autocomplete, Button, Code, Group, Modal, Progress, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type Action, answer, api, type Filter, type Job, type Schemas } from "~/api/client";
import { TextLink } from "~/components/links";
import { Failed, Loading } from "~/components/Notice";
import { count } from "~/lib/format";
import { say } from "~/lib/say";
import { useLive, useQueues } from "~/live/hooks";
import { common } from "~/strings/common";
import { jobs as jobWords } from "~/strings/jobs";
import { tasks as words } from "~/strings/tasks";

/** From so many on, the number must be typed: nothing brings back what was deleted, while archived tasks can be run. */
const MANY: Readonly<Partial<Record<Action, number>>> = { delete: 10, archive: 1_000 };

export interface BulkRequest {
  action: Action;
  /** These, */
  tasks?: Schemas["TaskName"][];
  /** or all that fit. */
  filter?: Filter;
}

interface Closing {
  /** Told whether anything was begun. */
  onClose: (isBegun: boolean) => void;
}

export function BulkDialog({ request, onClose }: { request: BulkRequest | undefined } & Closing) {
  return (
    <Modal.Root opened={request !== undefined} onClose={() => onClose(false)} size="lg" centered padding="lg">
      <Modal.Overlay />
      <Modal.Content aria-label={request && words.bulk.name(request.action)}>
        <Modal.Body>
          {request && <Inside key={JSON.stringify(request)} request={request} onClose={onClose} />}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Inside({ request, onClose }: { request: BulkRequest } & Closing) {
  const client = useQueryClient();
  const queues = useQueues();
  const [typed, setTyped] = useState("");
  const [toQueue, setToQueue] = useState("");
  const needsQueue = request.action === "move";
  const [isChosen, setIsChosen] = useState(!needsQueue);
  const body = { ...request, to_queue: needsQueue ? toQueue : undefined };
  const preview = useQuery({
    queryKey: ["preview", body],
    queryFn: ({ signal }) => answer(api.POST("/api/v2/jobs/preview", { body, signal })),
    enabled: isChosen,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const start = useMutation({
    mutationFn: async () => (await answer(api.POST("/api/v2/jobs", { body }))) as Job,
  });
  const refresh = () => {
    for (const list of ["tasks", "failures"]) void client.invalidateQueries({ queryKey: [list] });
  };

  if (start.data) {
    const expected = preview.data?.coverage.is_complete ? preview.data.matched : null;
    return <Following job={start.data} expected={expected} onClose={() => onClose(true)} onEnd={refresh} />;
  }
  if (!isChosen) {
    const isNew = toQueue !== "" && !(toQueue in queues);
    return (
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (toQueue) setIsChosen(true);
        }}
      >
        <Stack>
          <Text fw={600} size="lg">
            {words.bulk.moveTitle}
          </Text>
          <Autocomplete
            label={words.bulk.toQueue}
            description={isNew ? words.bulk.newQueue(toQueue) : undefined}
            inputWrapperOrder={["label", "input", "description"]}
            data={Object.keys(queues).sort()}
            value={toQueue}
            onChange={setToQueue}
            limit={50}
            data-autofocus
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => onClose(false)}>
              {common.cancel}
            </Button>
            <Button type="submit" disabled={!toQueue}>
              {words.bulk.next}
            </Button>
          </Group>
        </Stack>
      </form>
    );
  }
  if (preview.error) {
    return (
      <Stack>
        <Failed error={preview.error} again={() => void preview.refetch()} />
        <Group justify="flex-end">
          <Button variant="default" onClick={() => onClose(false)}>
            {common.close}
          </Button>
        </Group>
      </Stack>
    );
  }
  if (!preview.data) {
    return (
      <Stack>
        <Text fw={600}>{words.bulk.counting}</Text>
        <Loading lines={3} />
      </Stack>
    );
  }
  const { matched, coverage, sample, must_confirm: mustConfirm } = preview.data;
  // The server counts whole states without looking at each task, so that its number is exact all the same.
  const isPartly = !coverage.is_complete && matched < coverage.total;
  const number = isPartly ? words.bulk.atLeast(count(matched)) : count(matched);
  const mustType = mustConfirm && (isPartly || matched >= (MANY[request.action] ?? Number.POSITIVE_INFINITY));
  // What is not counted to its end cannot be typed as a number.
  const word = isPartly ? request.action : count(matched);
  const isReady = matched > 0 || isPartly;
  const isSure = !mustType || typed.trim() === word || (!isPartly && typed.replace(/\D/g, "") === String(matched));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady && isSure) start.mutate();
      }}
    >
      <Stack>
        <Text fw={600} size="lg">
          {isReady ? words.bulk.title(request.action, number, matched === 1) : words.bulk.nothing}
        </Text>
        {isReady && <Text size="sm">{needsQueue ? words.bulk.into(toQueue) : words.bulk.means[request.action]}</Text>}
        {isPartly && <Text size="sm">{words.bulk.partly(count(coverage.scanned), count(coverage.total))}</Text>}
        {sample.length > 0 && (
          <div>
            <Text size="xs" fw={600} c="dimmed">
              {words.bulk.sample}
            </Text>
            {sample.slice(0, 5).map((task) => (
              <Text key={`${task.queue}/${task.id}`} size="sm" className="one-line">
                {task.type}{" "}
                <Text span size="xs" c="dimmed" className="mono">
                  {task.queue} {task.id}
                </Text>
              </Text>
            ))}
          </div>
        )}
        {mustType && isReady && (
          <TextInput
            label={words.bulk.type(word)}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            data-autofocus
          />
        )}
        {start.error && <Failed title={words.bulk.failed} error={start.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={() => onClose(false)}>
            {common.cancel}
          </Button>
          {isReady && (
            <Button
              type="submit"
              color={mustConfirm ? "red" : undefined}
              disabled={!isSure}
              loading={start.isPending}
              data-autofocus={!mustType}
            >
              {words.bulk.yes(request.action, number)}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

/** A job while it runs and what became of it. */
function Following({
  job: begun,
  expected,
  onClose,
  onEnd,
}: {
  job: Job;
  /** How many tasks were counted before, if all were. */
  expected: number | null;
  onClose: () => void;
  onEnd: () => void;
}) {
  const live = useLive((known) => known.jobs[begun.id]);
  const told = useQuery({
    queryKey: ["job", begun.id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v2/jobs/{job_id}", { params: { path: { job_id: begun.id } }, signal })),
    // Beside the stream, which may be held still.
    refetchInterval: (query) => (query.state.data?.state === "running" || !query.state.data ? 700 : false),
  });
  const job = [live, told.data].find((each) => each && each.state !== "running") ?? told.data ?? live ?? begun;
  const isRunning = job.state === "running";
  const worked = job.done + job.failed;
  // A job that searches does not know itself how much it will find.
  const total = job.total ?? (expected === null ? null : Math.max(expected, worked));
  const left = isRunning || job.state === "done" || total === null ? 0 : total - worked;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it has ended
  useEffect(() => {
    if (!isRunning) onEnd();
  }, [isRunning]);
  const stop = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v2/jobs/{job_id}", { params: { path: { job_id: job.id } } })),
    onError: (failure) => say.failed(jobWords.cancel, failure),
  });
  const refused = useQuery({
    queryKey: ["job", job.id, "first refused"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v2/jobs/{job_id}/results", {
          params: { path: { job_id: job.id }, query: { failed: true, limit: 5 } },
          signal,
        }),
      ),
    enabled: !isRunning && job.failed > 0,
  });
  return (
    <Stack role="status" data-job={job.state}>
      <Text fw={600} size="lg">
        {jobWords.states[job.state]}: {words.bulk.did(job.action, count(job.done))}
      </Text>
      {isRunning && (
        <Progress
          value={total ? (worked / total) * 100 : 100}
          animated={!total}
          aria-label={jobWords.columns.progress}
        />
      )}
      {isRunning && (
        <Text size="sm" c="dimmed">
          {total ? jobWords.progress(count(worked), count(total)) : count(worked)} · {words.bulk.goesOn}
        </Text>
      )}
      {left > 0 && <Text size="sm">{jobWords.left(count(left))}</Text>}
      {job.failed > 0 && (
        <Alert color="red" title={jobWords.failed(count(job.failed))}>
          {refused.data?.items.map((each) => (
            <Text key={`${each.queue}/${each.task_id}`} size="sm" style={{ overflowWrap: "anywhere" }}>
              <span className="mono">{each.task_id}</span>: {each.error}
            </Text>
          ))}
        </Alert>
      )}
      {job.error && <Code block>{job.error}</Code>}
      <Group justify="space-between">
        <TextLink to="/jobs" search={{ job: job.id }}>
          {jobWords.results}
        </TextLink>
        <Group>
          {isRunning && (
            <Button
              variant="default"
              onClick={() => stop.mutate()}
              loading={stop.isPending}
              title={jobWords.cancelHint}
            >
              {jobWords.cancel}
            </Button>
          )}
          <Button onClick={onClose} data-autofocus>
            {common.close}
          </Button>
        </Group>
      </Group>
    </Stack>
  );
}
