import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection, merged, taskName } from "./connection";

test("a snapshot replaces everything, a change only what it names", () => {
  const before = { a: 1, b: 2 };
  expect(merged(before, { is_snapshot: true, values: { c: 3 } }, false)).toEqual({ c: 3 });
  expect(merged(before, { is_snapshot: false, values: { b: 5, a: null } }, false)).toEqual({ b: 5 });
});

test("watched tasks that are gone are remembered as gone", () => {
  expect(
    merged({ "q/t": 1 } as Record<string, number | null>, { is_snapshot: false, values: { "q/t": null } }, true),
  ).toEqual({ "q/t": null });
});

test("names of tasks are told apart whatever is in them", () => {
  expect(taskName("low", "a")).toBe("low/a");
  expect(taskName("a/b", "c")).toBe("a%2Fb/c");
  expect(taskName("a", "b/c")).toBe("a/b%2Fc");
  expect(taskName("50%2F", "x")).toBe("50%252F/x");
});

class Stream extends EventTarget {
  static all: Stream[] = [];
  onerror: (() => void) | null = null;
  isClosed = false;
  readonly url: string;

  constructor(url: string) {
    super();
    this.url = url;
    Stream.all.push(this);
  }

  close() {
    this.isClosed = true;
  }

  send(kind: string, values: object = {}, is_snapshot = true) {
    this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify({ is_snapshot, values }) }));
  }

  static get last(): Stream {
    const stream = Stream.all.at(-1);
    if (!stream) throw new Error("no stream was opened");
    return stream;
  }
}

const queue = { queue: "low" };
let answers: () => Promise<Response>;
const page = async () => Response.json({ items: [queue], next_cursor: null });
const down = async () => Response.json({ code: "broker", detail: "refused" }, { status: 503 });

beforeEach(() => {
  vi.useFakeTimers();
  Stream.all = [];
  answers = page;
  vi.stubGlobal("EventSource", Stream);
  vi.stubGlobal("fetch", () => answers());
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function begin(): Connection {
  const connection = new Connection();
  connection.start();
  return connection;
}

test("is live from the first news, and knows what they say", () => {
  const connection = begin();
  expect(connection.get().status).toBe("connecting");
  Stream.last.send("queues", { low: queue });
  expect(connection.get()).toMatchObject({ status: "live", isLoaded: true, queues: { low: queue } });
});

test("a stream that brings nothing is given up, and the same is polled", async () => {
  const connection = begin();
  await vi.advanceTimersByTimeAsync(6_000);
  expect(Stream.all[0]?.isClosed).toBe(true);
  expect(connection.get()).toMatchObject({ status: "polling", isLoaded: true, queues: { low: queue } });
});

test("the stream is tried again, less and less often, and pages stay as they are meanwhile", async () => {
  const connection = begin();
  Stream.last.onerror?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.get().status).toBe("polling");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(Stream.all).toHaveLength(2);
  Stream.last.onerror?.();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(Stream.all).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(Stream.all).toHaveLength(3);
  expect(connection.get().status).toBe("polling");
  Stream.last.send("status", { redis: "up" });
  expect(connection.get().status).toBe("live");
});

test("a stream that falls silent is not taken for a quiet one", async () => {
  const connection = begin();
  Stream.last.send("queues", { low: queue });
  for (let seconds = 0; seconds < 60; seconds += 10) {
    await vi.advanceTimersByTimeAsync(10_000);
    Stream.last.send("ping");
  }
  expect(Stream.all).toHaveLength(1);
  expect(connection.get().status).toBe("live");
  answers = () =>
    new Promise((_, reject) => setTimeout(() => reject(new DOMException("late", "TimeoutError")), 15_000));
  await vi.advanceTimersByTimeAsync(25_000 + 15_000);
  expect(connection.get()).toMatchObject({ status: "lost", queues: { low: queue } });
});

test("nothing is known where Redis cannot be reached", async () => {
  const connection = begin();
  Stream.last.send("status", { redis: "down", error: "refused" });
  expect(connection.get()).toMatchObject({ status: "live", isRedisUp: false, redisError: "refused", isLoaded: false });
  answers = down;
  Stream.last.onerror?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.get()).toMatchObject({ status: "polling", isRedisUp: false, isLoaded: false });
});

test("a web server that does not answer is lost", async () => {
  const connection = begin();
  answers = () => Promise.reject(new TypeError("failed to fetch"));
  Stream.last.onerror?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.get().status).toBe("lost");
});

test("nothing is asked while somebody holds it still", async () => {
  const connection = begin();
  connection.setPaused(true);
  expect(Stream.last.isClosed).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(Stream.all).toHaveLength(1);
  expect(connection.get().status).toBe("paused");
  connection.setPaused(false);
  expect(Stream.all).toHaveLength(2);
});
