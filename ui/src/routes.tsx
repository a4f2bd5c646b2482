/** What the addresses say, and what they show; those of asynqmon lead to the same things. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { BASE, type TaskState } from "./api/client";
import { Failed, Loading } from "./components/Notice";
import { isState } from "./lib/states";
import { pages } from "./pages";
import { NotFound } from "./shell/NotFound";
import { Shell } from "./shell/Shell";

type Search = Record<string, unknown>;

/** The text of a parameter, undefined when it has none. */
export const text = (value: unknown): string | undefined =>
  value === undefined || value === null || value === "" ? undefined : String(value);

/** A parameter that may be said several times. */
export const texts = (value: unknown): string[] | undefined => {
  const all = (Array.isArray(value) ? value : [value]).map(text).filter((each) => each !== undefined);
  return all.length ? all : undefined;
};

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const at = <P extends string>(path: P) => ({ getParentRoute: () => root, path });

export interface OverviewSearch {
  /** Part of the names of queues. */
  name?: string;
  sort?: string;
  descending?: boolean;
}
const overview = createRoute({
  ...at(pages.overview.path),
  validateSearch: (search: Search): OverviewSearch => ({
    name: text(search.name),
    sort: text(search.sort),
    descending: search.descending === true || search.descending === "true" || undefined,
  }),
  component: lazyRouteComponent(pages.overview.load),
});

/** A search for tasks, as the address says it. */
export interface TaskSearch {
  queue?: string[];
  state?: TaskState[];
  id?: string;
  type?: string;
  payload?: string;
  error?: string;
  group?: string;
  /** Each `name` or `name=value`. */
  header?: string[];
  /** Of the payload, each `path` or `path=value`. */
  field?: string[];
  since?: string;
  until?: string;
  fingerprint?: string;
  /** Newest first. */
  descending?: boolean;
  /** Where in the list: the cursor of its page; the first page without. */
  cursor?: string;
  /** How many tasks the pages before have shown. */
  after?: number;
}
export function taskSearch(search: Search): TaskSearch {
  const states = texts(search.state)?.filter(isState);
  return {
    queue: texts(search.queue),
    state: states?.length ? states : undefined,
    id: text(search.id),
    type: text(search.type),
    payload: text(search.payload),
    error: text(search.error),
    group: text(search.group),
    header: texts(search.header),
    field: texts(search.field),
    since: text(search.since),
    until: text(search.until),
    fingerprint: text(search.fingerprint),
    descending: search.descending === true || search.descending === "true" || undefined,
    cursor: text(search.cursor),
    after: Number(search.after) > 0 ? Math.floor(Number(search.after)) : undefined,
  };
}

/** Everything of a list's address but the place in it. */
const viewOf = (search: Search): string => {
  const { cursor: _cursor, after: _after, ...view } = taskSearch(search);
  return JSON.stringify([view, text(search.status)]);
};

/** A cursor is of one list: whoever filters anew or looks at another state begins at its first page. */
export function leavePlace<S extends Pick<TaskSearch, "cursor" | "after">>({
  search,
  next,
}: {
  search: S;
  next: (search: S) => S;
}): S {
  const then = next(search);
  if (then.cursor !== search.cursor || viewOf({ ...then }) === viewOf({ ...search })) return then;
  return { ...then, cursor: undefined, after: undefined };
}

const tasks = createRoute({
  ...at(pages.tasks.path),
  validateSearch: taskSearch,
  search: { middlewares: [leavePlace] },
  component: lazyRouteComponent(pages.tasks.load),
});

export interface QueueSearch extends Omit<TaskSearch, "queue" | "state"> {
  /** Which tab; the word that asynqmon uses. */
  status?: TaskState;
}
const queue = createRoute({
  ...at(pages.queue.path),
  validateSearch: (search: Search): QueueSearch => {
    const { queue: _queue, state: _state, ...rest } = taskSearch(search);
    return { ...rest, status: isState(search.status) ? search.status : undefined };
  },
  search: { middlewares: [leavePlace] },
  component: lazyRouteComponent(pages.queue.load),
});

export const TASK_TABS = ["details", "why", "history", "stored"] as const;
export interface OneTaskSearch {
  tab?: (typeof TASK_TABS)[number];
}
const task = createRoute({
  ...at(pages.task.path),
  validateSearch: (search: Search): OneTaskSearch => ({ tab: TASK_TABS.find((tab) => tab === search.tab) }),
  component: lazyRouteComponent(pages.task.load),
});

export interface NewTaskSearch {
  queue?: string;
  type?: string;
}
const newTask = createRoute({
  ...at(pages.newTask.path),
  validateSearch: (search: Search): NewTaskSearch => ({ queue: text(search.queue), type: text(search.type) }),
  component: lazyRouteComponent(pages.newTask.load),
});

export interface FailureSearch {
  queue?: string[];
  type?: string;
  state?: TaskState[];
  since?: string;
  until?: string;
  /** The group that is open. */
  fingerprint?: string;
  /** What comes first; the largest groups unless given. */
  sort?: (typeof FAILURE_SORTS)[number];
}
export const FAILURE_SORTS = ["last", "first"] as const;
const failures = createRoute({
  ...at(pages.failures.path),
  validateSearch: (search: Search): FailureSearch => {
    const { queue, type, state, since, until, fingerprint } = taskSearch(search);
    return { queue, type, state, since, until, fingerprint, sort: FAILURE_SORTS.find((sort) => sort === search.sort) };
  },
  component: lazyRouteComponent(pages.failures.load),
});

const positive = (value: unknown): number | undefined => (Number(value) > 0 ? Number(value) : undefined);

export interface MetricsSearch {
  queue?: string[];
  /** How far back, minutes. */
  minutes?: number;
  /** How far back in what Prometheus knows, seconds; the word that asynqmon uses. */
  duration?: number;
  /** The last moment of that, seconds since 1970; now without. */
  end?: number;
  sort?: string;
  descending?: boolean;
}
const metrics = createRoute({
  ...at(pages.metrics.path),
  validateSearch: (search: Search): MetricsSearch => ({
    queue: texts(search.queue),
    minutes: positive(search.minutes),
    duration: positive(search.duration),
    end: positive(search.end),
    sort: text(search.sort),
    descending: search.descending === true || search.descending === "true" || undefined,
  }),
  component: lazyRouteComponent(pages.metrics.load),
});

export interface ListSearch {
  /** Part of what is looked for. */
  name?: string;
  sort?: string;
  descending?: boolean;
}
const listSearch = (search: Search): ListSearch => ({
  name: text(search.name),
  sort: text(search.sort),
  descending: search.descending === true || search.descending === "true" || undefined,
});

export interface ServerSearch extends ListSearch {
  /** The server that is open. */
  server?: string;
}
const servers = createRoute({
  ...at(pages.servers.path),
  validateSearch: (search: Search): ServerSearch => ({ ...listSearch(search), server: text(search.server) }),
  component: lazyRouteComponent(pages.servers.load),
});
export interface ScheduleSearch extends ListSearch {
  /** The periodic task whose history is open. */
  entry?: string;
}
const schedulers = createRoute({
  ...at(pages.schedulers.path),
  validateSearch: (search: Search): ScheduleSearch => ({ ...listSearch(search), entry: text(search.entry) }),
  component: lazyRouteComponent(pages.schedulers.load),
});
const jobs = createRoute({
  ...at(pages.jobs.path),
  validateSearch: (search: Search): { job?: string } => ({ job: text(search.job) }),
  component: lazyRouteComponent(pages.jobs.load),
});
export interface RedisSearch {
  /** Part of a line of what Redis says. */
  find?: string;
  /** The node of a cluster that says it. */
  node?: string;
}
const redis = createRoute({
  ...at(pages.redis.path),
  validateSearch: (search: Search): RedisSearch => ({ find: text(search.find), node: text(search.node) }),
  component: lazyRouteComponent(pages.redis.load),
});
const settings = createRoute({
  ...at(pages.settings.path),
  component: lazyRouteComponent(pages.settings.load),
});

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    tasks,
    queue,
    task,
    newTask,
    failures,
    metrics,
    servers,
    schedulers,
    jobs,
    redis,
    settings,
  ]),
  basepath: BASE || "/",
  defaultPreload: "intent",
  defaultPendingComponent: Loading,
  defaultErrorComponent: ({ error, reset }) => <Failed error={error} again={reset} />,
  scrollRestoration: true,
  // Plain addresses: ?status=retry&type=email:* rather than JSON in them.
  parseSearch: (search) => {
    const found: Record<string, string | string[]> = {};
    for (const [name, value] of new URLSearchParams(search)) {
      const before = found[name];
      found[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    }
    return found;
  },
  stringifySearch: (search) => {
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(search)) {
      for (const each of Array.isArray(value) ? value : [value]) {
        if (each !== undefined && each !== null && each !== "") words.append(name, String(each));
      }
    }
    const all = words.toString();
    return all ? `?${all}` : "";
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
