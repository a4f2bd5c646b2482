/** What is known of a task beside its payload. */
import { Group, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { TaskDetails } from "~/api/client";
import { CopyButton } from "~/components/CopyButton";
import { hinted } from "~/components/hints";
import { Moment, useNow } from "~/components/Moment";
import { count, span } from "~/lib/format";
import { task as words } from "~/strings/task";
import { FailuresLink, QueueLink, SearchLink, ServerLink, TaskLink } from "./links";
import styles from "./task.module.css";

function Fact({ name, hint, children }: { name: string; hint?: string; children: ReactNode }) {
  return (
    <>
      <dt {...hinted(hint)}>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

const isFarAway = (seconds: number) => seconds > 100 * 365 * 86_400;

export function Facts({ task }: { task: TaskDetails }) {
  const facts = words.facts;
  const headers = Object.entries(task.headers);
  return (
    <dl className={styles.facts}>
      <Fact name={words.queue}>
        <QueueLink queue={task.queue} size="sm">
          {task.queue}
        </QueueLink>
      </Fact>
      {task.worker && (
        <>
          <Fact name={facts.worker}>
            <ServerLink server={task.worker.server_id} size="sm">
              {task.worker.host}:{task.worker.pid}
            </ServerLink>
          </Fact>
          <Fact name={facts.started}>
            <Moment at={task.worker.started} />
          </Fact>
          <Fact name={words.running}>
            <Elapsed since={task.worker.started} />
          </Fact>
          {task.worker.deadline && (
            <Fact name={facts.runsUntil}>
              <Moment at={task.worker.deadline} />
            </Fact>
          )}
        </>
      )}
      <Fact name={facts.retries}>{facts.retriesOf(count(task.retried), count(task.max_retry))}</Fact>
      <Time name={facts.pending} at={task.pending_since} />
      <Time
        name={task.state === "retry" ? facts.due : facts.scheduledFor}
        at={task.state === "retry" || task.state === "scheduled" ? task.next_process_at : null}
      />
      <Time name={facts.failed} at={task.last_failed_at} />
      <Time name={facts.archived} at={task.archived_at} />
      <Time name={facts.completed} at={task.completed_at} />
      <Time name={facts.expires} at={task.expires_at} />
      <Fact name={facts.timeout}>{task.timeout_seconds ? span(task.timeout_seconds) : facts.none}</Fact>
      <Fact name={facts.deadline}>
        <Moment at={task.deadline} fallback={facts.none} />
      </Fact>
      <Fact name={facts.retention} hint={facts.retentionHint}>
        {task.retention_seconds
          ? isFarAway(task.retention_seconds)
            ? "∞"
            : span(task.retention_seconds)
          : facts.notKept}
      </Fact>
      {task.group && (
        <Fact name={facts.group}>
          <SearchLink search={{ queue: [task.queue], group: task.group }} size="sm">
            {task.group}
          </SearchLink>
        </Fact>
      )}
      {task.unique_key && (
        <>
          <Fact name={facts.key}>
            <span className="mono">{task.unique_key}</span> <CopyButton value={task.unique_key} label={facts.key} />
          </Fact>
          <Fact name={facts.lock}>
            <Lock task={task} />
          </Fact>
        </>
      )}
      {task.crashes > 0 && (
        <Fact name={facts.crashes} hint={facts.crashesHint}>
          {count(task.crashes)}
        </Fact>
      )}
      {task.released > 0 && (
        <Fact name={facts.released} hint={facts.releasedHint}>
          {count(task.released)}
        </Fact>
      )}
      {task.fingerprint && (
        <Fact name={facts.fingerprint}>
          <FailuresLink search={{ fingerprint: task.fingerprint }} size="sm" className="mono">
            {task.fingerprint}
          </FailuresLink>
        </Fact>
      )}
      {headers.length > 0 && (
        <Fact name={facts.headers}>
          <Stack gap={2}>
            {headers.map(([name, value]) => (
              <Group key={name} gap={4} wrap="nowrap" align="flex-start">
                <Text size="sm" className="mono" style={{ overflowWrap: "anywhere" }}>
                  {name}: {value}
                </Text>
                <CopyButton value={value} label={name} />
              </Group>
            ))}
          </Stack>
        </Fact>
      )}
    </dl>
  );
}

function Time({ name, at }: { name: string; at: string | null }) {
  if (!at) return null;
  return (
    <Fact name={name}>
      <Moment at={at} />
    </Fact>
  );
}

function Elapsed({ since }: { since: string }) {
  const now = useNow();
  return span(Math.max(0, Math.floor((now - Date.parse(since)) / 1000)));
}

function Lock({ task }: { task: TaskDetails }) {
  const facts = words.facts;
  if (!task.lock) return facts.lockFree;
  const lasts = task.lock.expires_in_seconds;
  return (
    <>
      {task.lock.is_held_by_it ? (
        facts.lockByIt
      ) : (
        <>
          {facts.lockBy}{" "}
          <TaskLink queue={task.queue} taskId={task.lock.task_id} size="sm" className="mono">
            {task.lock.task_id}
          </TaskLink>
        </>
      )}
      {lasts !== null && ` ${facts.lockFor(span(Math.round(lasts)))}`}
    </>
  );
}
