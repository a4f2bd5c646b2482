import { describe, expect, it } from "vitest";
import { bodyOf, commandOf, duration, durationText, EMPTY, problemsOf, programOf } from "./newTask";
import { headline, sentence } from "./why";

describe("duration", () => {
  it.each([
    ["90", 90],
    ["250ms", 0.25],
    ["1m30s", 90],
    ["7d", 604_800],
    ["", undefined],
    ["soon", undefined],
    ["-1", undefined],
  ])("%s", (text, seconds) => expect(duration(text)).toBe(seconds));

  it("goes both ways", () => {
    for (const seconds of [0, 0.25, 59, 90, 5400, 90_061]) expect(duration(durationText(seconds))).toBe(seconds);
  });
});

const FULL = {
  ...EMPTY,
  type: "email:welcome",
  queue: "low",
  payload: {
    form: "json" as const,
    text: '{"user": 12345678901234567890, "vip": true, "note": "it\'s \\ud83d\\ude00"}',
  },
  when: "in" as const,
  delay: "1h30m",
  maxRetry: "3",
  timeout: "30s",
  unique: "1h",
  headers: [{ name: "trace", value: "a b" }],
};

it("asks the server for the bytes that were written", () => {
  const body = bodyOf(FULL);
  expect(body).toMatchObject({
    type: "email:welcome",
    max_retry: 3,
    process_in_seconds: 5400,
    unique_for_seconds: 3600,
  });
  expect(atob(body.payload_base64 ?? "")).toContain('"user":12345678901234567890,');
  expect(body.group).toBeUndefined();
});

it("tells the command", () => {
  expect(commandOf(FULL)).toBe(
    `asynqpy enqueue email:welcome '{"user":12345678901234567890,"vip":true,"note":"it'\\''s \\ud83d\\ude00"}' ` +
      "--queue low --in 1h30m --max-retry 3 --timeout 30s --unique 1h --header 'trace=a b'",
  );
  expect(commandOf({ ...EMPTY, type: "t", payload: { form: "hex", text: "ff" } })).toBe(
    "echo /w== | base64 -d | asynqpy enqueue t - --queue default",
  );
});

it("tells the program", () => {
  const json = (text: string) => programOf({ ...EMPTY, type: "t", payload: { form: "json", text } });
  expect(json('{"a":[true,false,null,1.50]}')).toContain('Task("t", {"a": [True, False, None, 1.50]})');
  const program = programOf(FULL);
  expect(program).toContain(`Task("email:welcome", {"user": 12345678901234567890, "vip": True, "note": "it's 😀"}),`);
  expect(program).toContain("process_in=5400,");
  expect(programOf({ ...EMPTY, type: "t" })).toBe(
    'from asynqpy import Client, Task\n\nwith Client() as client:\n    client.enqueue(Task("t"))\n',
  );
});

it("takes files by their names, however large", () => {
  const file = { name: "my clip.bin", bytes: new Uint8Array(100_000).fill(255) };
  const form = { ...EMPTY, type: "t", payload: { form: "file" as const, text: "", file } };
  expect(commandOf(form)).toBe("asynqpy enqueue t '@my clip.bin' --queue default");
  expect(programOf(form)).toBe(
    "from pathlib import Path\n\nfrom asynqpy import Client, Task\n\nwith Client() as client:\n" +
      '    client.enqueue(Task("t", Path("my clip.bin").read_bytes()))\n',
  );
  const hex = { ...EMPTY, type: "t", payload: { form: "hex" as const, text: "ff".repeat(1000) } };
  expect(commandOf(hex)).toBe("asynqpy enqueue t @payload.bin --queue default");
  expect(programOf(hex)).toContain('Path("payload.bin").read_bytes()');
});

it("says where Redis is", () => {
  const form = { ...EMPTY, type: "t" };
  expect(commandOf(form, "--redis redis://h:1/0")).toBe("asynqpy --redis redis://h:1/0 enqueue t --queue default");
  expect(programOf(form, "redis://h:1/0")).toContain('with Client("redis://h:1/0") as client:');
});

it("finds what is missing", () => {
  expect(problemsOf(EMPTY)).toEqual({ type: "missing" });
  expect(problemsOf({ ...FULL, delay: "x", retention: "y", deadline: "z" })).toEqual({
    delay: "duration",
    retention: "duration",
    deadline: "moment",
  });
});

describe("headline", () => {
  const reason = (cause: string, weight: string) => ({ cause, weight, text: "", remedy: "", facts: {} }) as never;
  it.each([
    ["pending", [], undefined],
    ["pending", [reason("queue_paused", "blocks")], "blocks"],
    ["pending", [reason("queued_behind", "delays")], "delays"],
    ["scheduled", [reason("due_later", "delays")], "delays"],
    ["scheduled", [reason("due_later", "delays"), reason("no_server", "blocks")], "blocks"],
    ["retry", [reason("overdue", "blocks")], "blocks"],
    ["aggregating", [reason("group_waits", "delays")], "delays"],
    ["active", [reason("running", "tells")], undefined],
    ["active", [reason("lease_expired", "delays")], "delays"],
    ["active", [reason("no_worker", "delays")], "delays"],
    ["archived", [reason("archived", "blocks")], "blocks"],
    ["completed", [reason("completed", "tells")], undefined],
  ] as const)("%s", (state, items, weight) => {
    const found = headline({ state, items: [...items] });
    expect(found.weight).toBe(weight);
    expect(found.text).toMatch(/\.$/);
  });

  it("makes sentences", () => expect(sentence("it runs")).toBe("It runs."));
});
