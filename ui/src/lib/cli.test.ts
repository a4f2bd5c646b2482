import { describe, expect, it } from "vitest";
import { below, command, reading, redisOptions, withOptions } from "./cli";

const one = [{ name: "default", path: "" }];
const two = [
  { name: "main", path: "/main" },
  { name: "eu", path: "/eu" },
];

describe("redisOptions", () => {
  it("says nothing where commands look anyway", () => {
    expect(redisOptions({ broker: "default", brokers: one, redis_url: "redis://localhost:6379/0" })).toBe("");
    expect(redisOptions({ broker: "default", brokers: one, redis_url: null })).toBe("");
    expect(redisOptions(undefined)).toBe("");
  });

  it("says the address, quoted, or the name of one of several", () => {
    expect(redisOptions({ broker: "default", brokers: one, redis_url: "rediss://h:1/2" })).toBe(
      "--redis rediss://h:1/2",
    );
    expect(redisOptions({ broker: "default", brokers: one, redis_url: "redis-socket:///s?db=1" })).toBe(
      "--redis 'redis-socket:///s?db=1'",
    );
    expect(redisOptions({ broker: "main", brokers: two, redis_url: "redis://localhost:6379/0" })).toBe(
      "--redis redis://localhost:6379/0",
    );
    expect(redisOptions({ broker: "eu", brokers: two, redis_url: null })).toBe("--profile eu");
  });
});

describe("reading", () => {
  it("has what is asked for, and leaves out what is not", () => {
    expect(reading("/api/v2/tasks", {})).toBe("GET /api/v2/tasks");
    expect(reading("/api/v2/tasks", { state: ["retry", "archived"], type: "a:*", error: "", since: undefined })).toBe(
      "GET /api/v2/tasks?state=retry&state=archived&type=a%3A*",
    );
    expect(reading("/api/v2/tasks", { field: ["user.id=7"], descending: false })).toBe(
      "GET /api/v2/tasks?field=user.id%3D7",
    );
  });
});

describe("withOptions", () => {
  it("puts them where no argument ends them", () => {
    expect(withOptions(command("task", "find", "--", "-1"), "--redis redis://h:1/0")).toBe(
      "asynqpy --redis redis://h:1/0 task find -- -1",
    );
    expect(withOptions("cat f | asynqpy enqueue t -", "--profile eu")).toBe("cat f | asynqpy --profile eu enqueue t -");
    expect(withOptions("asynqpy stats", "")).toBe("asynqpy stats");
  });
});

describe("below", () => {
  it("puts the base before the path alone", () => {
    expect(below("/ops/main", 'POST /api/v2/jobs {"a": "/b"}')).toBe('POST /ops/main/api/v2/jobs {"a": "/b"}');
    expect(below("", "GET /api/v2/queues")).toBe("GET /api/v2/queues");
  });
});
