/** What a table of tasks shows in which state. */
import { Badge, Progress, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Schemas, Task, TaskState } from "~/api/client";
import { hinted } from "~/components/hints";
import { Moment } from "~/components/Moment";
import { PayloadLine } from "~/components/PayloadLine";
import { Cancelling, StateBadge } from "~/components/StateBadge";
import { tasks as words } from "~/strings/tasks";

/** The attempts that run, by `queue/id`. */
export type Running = Readonly<Record<string, Schemas["RunningTask"]>>;

export interface Column {
  name: string;
  /** Pixels it wants at least. */
  width: number;
  cell: (task: Task, running: Running) => ReactNode;
}

const { columns: names } = words;

const attempt = (task: Task, running: Running) => running[`${task.queue}/${task.id}`];

/** When somebody asked for it to be cancelled: news of the servers come without the list being read again. */
const cancelledAt = (task: Task, running: Running): string | null =>
  attempt(task, running)?.cancel_requested_at ?? task.cancel_requested_at;

const STATUS: Column = {
  name: names.status,
  width: 150,
  cell: (task, running) => {
    const asked = cancelledAt(task, running);
    if (task.is_orphaned) {
      return (
        <Badge {...hinted(words.orphanedHint)} color="red" variant="light" size="sm" tt="none">
          {words.orphaned}
        </Badge>
      );
    }
    if (task.progress === null) {
      return asked ? <Cancelling at={asked} /> : <Text size="sm">{words.running}</Text>;
    }
    return (
      <>
        <Cancelling at={asked} />
        <Progress value={task.progress * 100} size="sm" aria-label={words.columns.status} />
        <Text size="xs" c="dimmed" className="one-line">
          {Math.round(task.progress * 100)} % {task.progress_text}
        </Text>
      </>
    );
  },
};

const moment = (name: string, at: (task: Task, running: Running) => string | null | undefined): Column => ({
  name,
  width: 116,
  cell: (task, running) => (
    <Text size="sm" component="span">
      <Moment at={at(task, running)} />
    </Text>
  ),
});

const RETRIED: Column = {
  name: names.retried,
  width: 70,
  cell: (task) => (
    <Text size="sm" component="span">
      {task.retried}/{task.max_retry}
    </Text>
  ),
};

const ERROR: Column = {
  name: names.lastError,
  width: 240,
  cell: (task) => (
    <Text size="sm" component="span" className="one-line" title={task.last_error}>
      {task.last_error || "–"}
    </Text>
  ),
};

const OF_STATE: Readonly<Record<TaskState, readonly Column[]>> = {
  active: [
    STATUS,
    moment(names.started, (task, running) => attempt(task, running)?.started),
    moment(names.deadline, (task, running) => attempt(task, running)?.deadline),
    RETRIED,
  ],
  pending: [moment(names.waiting, (task) => task.pending_since), RETRIED],
  scheduled: [moment(names.runs, (task) => task.next_process_at)],
  retry: [ERROR, moment(names.nextTry, (task) => task.next_process_at), RETRIED],
  archived: [ERROR, moment(names.failed, (task) => task.last_failed_at ?? task.archived_at), RETRIED],
  completed: [
    {
      name: names.result,
      width: 180,
      cell: (task) => (task.result ? <PayloadLine content={task.result} /> : "–"),
    },
    moment(names.completed, (task) => task.completed_at),
    moment(names.kept, (task) => task.expires_at),
  ],
  aggregating: [
    {
      name: names.group,
      width: 140,
      cell: (task) => (
        <Text size="sm" component="span" className="one-line">
          {task.group}
        </Text>
      ),
    },
  ],
};

const State = ({ task, asked }: { task: Task; asked: string | null }) =>
  asked ? <Cancelling at={asked} /> : <StateBadge state={task.state} />;

const MIXED: readonly Column[] = [
  { name: names.state, width: 110, cell: (task, running) => <State task={task} asked={cancelledAt(task, running)} /> },
  ERROR,
  moment(
    names.when,
    (task, running) =>
      attempt(task, running)?.started ??
      task.completed_at ??
      task.archived_at ??
      task.next_process_at ??
      task.pending_since,
  ),
];

/** The columns beside the task, its queue and its payload. */
export const columnsOf = (states: readonly TaskState[] | undefined): readonly Column[] =>
  states?.length === 1 && states[0] ? OF_STATE[states[0]] : MIXED;
