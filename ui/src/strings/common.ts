/** What more than one page says. Each page has a file of its own beside this one. */
import type { Action, TaskState } from "~/api/client";

export const STATE_NAMES: Readonly<Record<TaskState, string>> = {
  active: "Active",
  pending: "Pending",
  aggregating: "Aggregating",
  scheduled: "Scheduled",
  retry: "Retry",
  archived: "Archived",
  completed: "Completed",
};

export const STATE_HINTS: Readonly<Record<TaskState, string>> = {
  active: "A worker runs it now.",
  pending: "Ready, waits for a free worker.",
  aggregating: "Waits in its group to be put together with others.",
  scheduled: "Becomes pending at its moment.",
  retry: "Has failed and will be tried again.",
  archived: "Will not run again by itself.",
  completed: "Has succeeded and is kept for a while.",
};

export const CANCELLING = {
  name: "Cancelling",
  hint: (ago: string) =>
    `Its worker was asked to stop it: ${ago}. How soon it does depends on the handler, and some do not heed it.`,
};

export const ACTION_NAMES: Readonly<Record<Action, string>> = {
  run: "Run now",
  archive: "Archive",
  delete: "Delete",
  cancel: "Cancel",
  edit: "Edit payload",
  again: "Enqueue again",
  move: "Move",
};

export const common = {
  product: "asynqpy",
  skip: "Skip to content",
  retry: "Try again",
  moreRows: (left: number) => `Show more, ${left.toLocaleString("en")} left`,
  cancel: "Cancel",
  close: "Close",
  openTask: "Open the new task",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "This could not be copied",
  copyByHand: "The browser does not let pages copy here. Select the text, and copy it by hand.",
  loading: "Loading",
  none: "none",
  cliTitle: "On the command line",
  apiTitle: "By HTTP",
  errorTitle: "This could not be read",
  unreachable: "The web server does not answer.",
  notFoundTitle: "There is no such page",
  notFoundText: "The address leads nowhere. It may belong to another version.",
} as const;
