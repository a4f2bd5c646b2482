/** The pages by their addresses. Each is loaded when it is first wanted. */
export const pages = {
  overview: { path: "/", load: () => import("./pages/overview/Overview") },
  tasks: { path: "/tasks", load: () => import("./pages/tasks/Tasks") },
  queue: { path: "/queues/$queue", load: () => import("./pages/queue/Queue") },
  task: { path: "/queues/$queue/tasks/$taskId", load: () => import("./pages/task/Task") },
  newTask: { path: "/new-task", load: () => import("./pages/task/NewTask") },
  failures: { path: "/failures", load: () => import("./pages/failures/Failures") },
  metrics: { path: "/q/metrics", load: () => import("./pages/metrics/Metrics") },
  servers: { path: "/servers", load: () => import("./pages/servers/Servers") },
  schedulers: { path: "/schedulers", load: () => import("./pages/schedules/Schedules") },
  jobs: { path: "/jobs", load: () => import("./pages/jobs/Jobs") },
  redis: { path: "/redis", load: () => import("./pages/redis/Redis") },
  settings: { path: "/settings", load: () => import("./pages/settings/Settings") },
} as const;

/** The page at *path*, which has no base in front. */
export function pageAt(path: string): (typeof pages)[keyof typeof pages] | undefined {
  return Object.values(pages).find((page) =>
    new RegExp(`^${page.path.replace(/\$\w+/g, "[^/]+")}/?$`).test(path || "/"),
  );
}
