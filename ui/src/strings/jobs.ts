import type { Schemas } from "~/api/client";

export const jobs = {
  title: "Bulk jobs",
  emptyTitle: "Nothing is under way",
  emptyText: "Actions on many tasks show up here, for an hour or until the web server ends.",
  columns: { what: "What", by: "By", began: "Began", progress: "Progress", state: "State" },
  states: { running: "Running", done: "Done", cancelled: "Cancelled", failed: "Failed" } satisfies Record<
    Schemas["JobState"],
    string
  >,
  queues: (names: readonly string[]) =>
    names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", "),
  done: (n: string) => `${n} done`,
  failed: (n: string) => `${n} refused`,
  cancel: "Stop it",
  cancelHint: "What it has done stays done.",
  results: "Results",
  onlyFailed: "Only what was refused",
  resultOk: "done",
  movedTo: (queue: string) => `moved to ${queue}`,
  copyIs: (id: string) => `new task ${id}…`,
  noResults: "Nothing to tell of single tasks: whole states were dealt with at once.",
  noFailed: "Nothing was refused.",
  save: "Save as JSON lines",
  more: "More",
  gone: "This job is not known any more. Jobs are forgotten after an hour, and when the web server ends.",
  left: (n: string) => `${n} left as they were`,
  progress: (n: string, all: string) => `${n} of ${all}`,
} as const;
