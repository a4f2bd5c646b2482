/** The states of tasks: their order, names and colours, the same on every page. */
import type { TaskState } from "~/api/client";

export const STATES: readonly TaskState[] = [
  "active",
  "pending",
  "aggregating",
  "scheduled",
  "retry",
  "archived",
  "completed",
];

/** Colours of Mantine's theme; told apart by their brightness too. */
export const COLOR: Readonly<Record<TaskState, string>> = {
  active: "teal",
  pending: "blue",
  aggregating: "grape",
  scheduled: "cyan",
  retry: "orange",
  archived: "red",
  completed: "green",
};

export const isState = (word: unknown): word is TaskState => STATES.includes(word as TaskState);
