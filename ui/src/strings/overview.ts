/** What the overview says. */
import { count } from "~/lib/format";

const queues = (n: number): string => (n === 1 ? "1 queue" : `${count(n)} queues`);

export const overview = {
  title: "Overview",
  newTask: "New task",
  totals: {
    pending: "Pending",
    oldest: (span: string) => `oldest ${span}`,
    nothingWaits: "nothing waits",
    active: "Active",
    slots: (busy: string, slots: string) => `${busy} of ${slots} slots busy`,
    slotsTold: (busy: string, slots: string) => `${busy} of ${slots} slots, as told last`,
    slotsHint: "Tasks that run now. Servers tell every 5 seconds how many of their slots are busy.",
    noSlots: "no server is up",
    throughput: "Throughput",
    processed: (n: string) => `${n} processed today`,
    failed: "Failed today",
    errorRate: (share: string) => `error rate ${share}`,
    noAttempts: "no attempts yet",
    retry: "In retry",
    archived: (n: string) => `${n} archived`,
    servers: "Servers up",
    python: (n: number) => `${count(n)} Python`,
    other: (n: number) => `${count(n)} Go or other`,
  },
  attention: {
    title: "Needs attention",
    noServers: "No server is up: tasks wait until one is started.",
    unserved: (n: number) =>
      n === 1
        ? "A queue has tasks, but no server takes from it:"
        : `${queues(n)} have tasks, but no server takes from them:`,
    slow: (span: string) => `The next task has waited over ${span}:`,
    paused: (n: number) => (n === 1 ? "A paused queue holds tasks back:" : `${queues(n)}, paused, hold tasks back:`),
    failing: (share: string) => `More than ${share} of the attempts of today failed:`,
    missed: (n: number) => (n === 1 ? "A schedule was missed" : `${count(n)} schedules were missed`),
    duplicates: (n: number) =>
      n === 1
        ? "A schedule is registered by more than one scheduler"
        : `${count(n)} schedules are registered by more than one scheduler`,
    show: "Schedules",
    more: (n: number) => `and ${count(n)} more`,
  },
  sizes: {
    title: "Queue sizes",
    empty: "All queues are empty.",
    more: (n: number) => `${queues(n)} more below`,
    legend: "States",
  },
  work: {
    title: "Tasks processed",
    days: "Days",
    day: (days: number) => (days === 1 ? "Today" : `${days} d`),
    none: "Nothing was processed today.",
    covered: (some: number, all: number) => `The busiest ${count(some)} of ${queues(all)}.`,
    label: (days: number) => `Tasks processed and failed on the last ${days} days, all queues together`,
    succeeded: "Succeeded",
    failed: "Failed",
    todayRow: (succeeded: string, failed: string) => `${succeeded} succeeded, ${failed} failed`,
  },
  table: {
    title: "Queues",
    caption: "Queues with their numbers",
    filter: "Filter by name",
    clear: "Clear the filter",
    shown: (some: number, all: number) => (some === all ? queues(all) : `${count(some)} of ${queues(all)}`),
    nothing: "No queue has this in its name.",
    queue: "Queue",
    state: "State",
    size: "Size",
    latency: "Latency",
    processed: "Processed",
    processedHint: "Attempts that ended today, in UTC.",
    failed: "Failed",
    errorRate: "Error rate",
    throughput: "Last minute",
    memory: "Memory",
    actions: "Actions",
    running: "Running",
    paused: "Paused",
    groups: (n: number) => (n === 1 ? "1 group" : `${count(n)} groups`),
  },
  memory: {
    estimate: "Estimate memory",
    again: "Estimate again",
    hint: (n: number) =>
      `Asks Redis for the memory of up to 20 tasks of each state of ${n === 1 ? "1 queue" : `the ${count(n)} largest queues`} that fit the filter: up to 120 commands a queue. Only when you ask.`,
    took: (total: string, span: string) => `About ${total}; the estimate took ${span}.`,
    failed: "The memory could not be estimated",
  },
  welcome: {
    title: "No tasks yet",
    text: "Queues appear here with their first task. Enqueue one:",
    copy: "the example",
    next: "Run what handles it:",
    docs: "More in docs/start and docs/howto of asynqpy, and in",
    api: "the description of the HTTP API",
    form: "Or enqueue one by hand",
  },
} as const;

export const FIRST_TASK = `from asynqpy import Client, Task

with Client("redis://localhost:6379/0") as client:
    client.enqueue(Task("email:welcome", {"user_id": 42}))`;

export const FIRST_WORKER = `# tasks.py
from asynqpy import ServeMux, Task

mux = ServeMux()

@mux.handler("email:welcome")
async def welcome(task: Task) -> None:
    print("welcome", task.json())`;

export const RUN_WORKER = "asynqpy worker tasks:mux";
