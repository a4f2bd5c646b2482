/** The HTTP API, typed by its own description. Every page asks through this module. */
import createClient, { type Middleware } from "openapi-fetch";
import { taken } from "./ahead";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type TaskState = Schemas["TaskState"];
export type Action = Schemas["Action"];
export type Permission = Schemas["Permission"];
export type Queue = Schemas["Queue"];
export type Task = Schemas["Task"];
export type TaskDetails = Schemas["TaskDetails"];
export type Content = Schemas["Content"];
export type ServerInfo = Schemas["ServerInfo"];
export type SchedulerEntry = Schemas["SchedulerEntry"];
export type Job = Schemas["Job"];
export type Meta = Schemas["Meta"];
export type Filter = Schemas["Filter"];

/** Where the dashboard is, without a slash at its end: "" at the root, "/ops/tasks" below a mount. */
export const BASE = new URL(document.baseURI).pathname.replace(/\/(index\.html)?$/, "");

/** What a server answered instead of what was wanted, or why it could not be asked. */
export class ApiError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** What it is, for programs: the `code` of the problem. */
  readonly code: string;
  /** The whole problem document, with members of its own. */
  readonly problem: Record<string, unknown>;

  constructor(status: number, code: string, detail: string, problem: Record<string, unknown> = {}) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.problem = problem;
  }
}

function cookie(name: string): string | undefined {
  const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
  return found && decodeURIComponent(found.slice(name.length + 1));
}

/** Sends back the server's token against requests of other sites. */
const token: Middleware = {
  onRequest({ request }) {
    const value = request.method === "GET" ? undefined : cookie("XSRF-TOKEN");
    if (value) request.headers.set("X-XSRF-TOKEN", value);
    return request;
  },
};

export const api = createClient<paths>({
  // Absolute, because addresses of requests do not follow <base href> in every environment.
  baseUrl: new URL(`${BASE}/`, document.baseURI).href.replace(/\/$/, ""),
  querySerializer: { array: { style: "form", explode: true } },
  // Looked up at each call, so that tests can stand in.
  fetch: (request) => taken(request) ?? globalThis.fetch(request),
});
api.use(token);

/**
 * What `api` answered, or an `ApiError`.
 *
 * @example const page = await answer(api.GET("/api/v2/queues", { params: { query: { limit: 100 } } }));
 */
export async function answer<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let got: { data?: T; error?: unknown; response: Response };
  try {
    got = await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", error instanceof Error ? error.message : String(error));
  }
  if (got.response.ok) return got.data as T;
  const problem = typeof got.error === "object" && got.error !== null ? (got.error as Record<string, unknown>) : {};
  const detail = typeof problem.detail === "string" ? problem.detail : got.response.statusText || String(got.error);
  throw new ApiError(got.response.status, String(problem.code ?? "unknown"), detail, problem);
}

/** The address of a route, for links to downloads and for `EventSource`. Parts are escaped. */
export function address(strings: TemplateStringsArray, ...parts: string[]): string {
  return (
    BASE +
    strings.reduce((whole, text, i) => whole + text + (i < parts.length ? encodeURIComponent(parts[i] ?? "") : ""), "")
  );
}
