import { pageAt, pages } from "./pages";

/**
 * What the page at *path* asks for first, below `/api/v2/`, with so many *rows* to a page of tasks. No more than what it
 * is sure to ask for: where its address says something special, that is its own affair.
 */
export function firstReads(path: string, search: URLSearchParams, rows: number): string[] {
  const [, , queue, , task] = path.split("/").map(escaped);
  switch (pageAt(path)) {
    case pages.tasks:
      return search.size ? [] : [`tasks?limit=${rows}`];
    case pages.failures:
      return search.size ? [] : ["failures?limit=200"];
    case pages.task:
      return [`queues/${queue}/tasks/${task}`];
    case pages.queue: {
      const state = search.get("status") ?? "active";
      const isSpecial = search.size > (search.has("status") ? 1 : 0) || state === "aggregating";
      return isSpecial ? [] : [`tasks?queue=${queue}&state=${encodeURIComponent(state)}&limit=${rows}`];
    }
    default:
      return [];
  }
}

/** *part* of a path as the API wants it, which may be escaped in another way, or in none that there is. */
function escaped(part: string): string {
  try {
    return encodeURIComponent(decodeURIComponent(part));
  } catch {
    return encodeURIComponent(part);
  }
}
