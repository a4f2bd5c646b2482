/** Commands of the command line, and requests, that do or show the same as a page. Pure. */
import type { Meta } from "~/api/client";

/** One word, quoted for a POSIX shell where it must be. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * A command from its words.
 *
 * @example command("queue", "ls") // "asynqpy queue ls"
 */
export const command = (...words: (string | number)[]): string =>
  ["asynqpy", ...words.map((word) => quoted(String(word)))].join(" ");

/** Where commands look unless they are told. */
const USUAL_URL = "redis://localhost:6379/0";

/** The options by which a command finds the Redis of *meta*: its address; else its name, as a profile may have it. */
export function redisOptions(meta: Pick<Meta, "redis_url" | "broker" | "brokers"> | undefined): string {
  const url = meta?.redis_url;
  const isOne = !meta || meta.brokers.length < 2;
  if (url) return isOne && url === USUAL_URL ? "" : `--redis ${quoted(url)}`;
  return isOne ? "" : `--profile ${quoted(meta.broker)}`;
}

/** *line*, a command or several, with *options* of the program. */
export const withOptions = (line: string, options: string): string =>
  options ? line.replace(/(^|\| )asynqpy /g, (whole) => `${whole}${options} `) : line;

/**
 * A request that reads *path* with what *query* has.
 *
 * @example reading("/api/v2/tasks", { state: ["retry"] }) // "GET /api/v2/tasks?state=retry"
 */
export function reading(path: string, query: Readonly<Record<string, unknown>>): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined && each !== "" && each !== false) words.append(name, String(each));
  }
  return `GET ${path}${words.size ? `?${words}` : ""}`;
}

/** *request*, such as "GET /api/v2/queues", where the dashboard is at *base*. */
export const below = (base: string, request: string): string => request.replace(/^(\w+) \//, `$1 ${base}/`);
