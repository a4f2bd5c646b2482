import { describe, expect, it } from "vitest";
import { commonPart, type Failure, jobFilter, merged, ranked, sorted } from "./groups";

const group = (parts: Partial<Failure>): Failure => ({
  fingerprint: "a",
  error_class: "ValueError",
  text: "image <hex> is broken",
  frames: [],
  count: 1,
  queues: { low: 1 },
  types: { t: 1 },
  states: { retry: 1 },
  servers: { "a:1": 1 },
  server_count: 1,
  versions: { "1.4.2": 1 },
  first_seen: "2026-11-24T10:00:00Z",
  last_seen: "2026-11-24T11:00:00Z",
  trend: [0, 1],
  sample: { id: "one" } as Failure["sample"],
  sample_traceback: "",
  ...parts,
});

describe("merged", () => {
  it("adds up what is alike in several answers", () => {
    const [one, ...rest] = merged([
      { items: [group({}), group({ fingerprint: "b", count: 2 })] },
      {
        items: [
          group({
            count: 3,
            queues: { low: 1, media: 2 },
            states: { archived: 3 },
            servers: { "a:1": 1, "b:1": 1, "": 1 },
            server_count: 2,
            versions: { "1.4.1": 2, "": 1 },
            first_seen: "2026-11-24T09:00:00Z",
            last_seen: "2026-11-24T12:00:00Z",
            trend: [2, 3],
            sample: { id: "later" } as Failure["sample"],
          }),
        ],
      },
    ]);
    expect(one).toMatchObject({
      fingerprint: "a",
      count: 4,
      queues: { low: 2, media: 2 },
      states: { retry: 1, archived: 3 },
      servers: { "a:1": 2, "b:1": 1, "": 1 },
      server_count: 2,
      versions: { "1.4.2": 1, "1.4.1": 2, "": 1 },
      first_seen: "2026-11-24T09:00:00Z",
      last_seen: "2026-11-24T12:00:00Z",
      trend: [2, 4],
      sample: { id: "later" },
    });
    expect(rest.map((each) => each.fingerprint)).toEqual(["b"]);
  });

  it("keeps the sample that failed last, whichever answer it is in", () => {
    const earlier = group({ last_seen: "2026-11-24T08:00:00Z", sample: { id: "earlier" } as Failure["sample"] });
    expect(merged([{ items: [group({})] }, { items: [earlier] }])[0]?.sample.id).toBe("one");
  });

  it("counts servers that no answer names", () => {
    const many = group({ server_count: 900 });
    expect(merged([{ items: [many] }, { items: [group({})] }])[0]?.server_count).toBe(900);
  });

  it("knows groups without moments", () => {
    const unknown = group({ first_seen: null, last_seen: null });
    expect(merged([{ items: [unknown] }, { items: [unknown] }])[0]).toMatchObject({ count: 2, first_seen: null });
  });
});

it("sorts by what somebody chose", () => {
  const groups = [
    group({ fingerprint: "many", last_seen: "2026-11-24T08:00:00Z", first_seen: "2026-11-24T01:00:00Z" }),
    group({ fingerprint: "late", last_seen: "2026-11-24T12:00:00Z", first_seen: "2026-11-24T02:00:00Z" }),
    group({ fingerprint: "old", last_seen: "2026-11-24T09:00:00Z", first_seen: "2026-11-23T01:00:00Z" }),
  ];
  const names = (by: "last" | "first" | undefined) => sorted(groups, by).map((each) => each.fingerprint);
  expect(names(undefined)).toEqual(["many", "late", "old"]);
  expect(names("last")).toEqual(["late", "old", "many"]);
  expect(names("first")).toEqual(["old", "many", "late"]);
});

it("ranks by number, then by name", () => {
  expect(ranked({ b: 1, a: 1, c: 5 })).toEqual([
    ["c", 5],
    ["a", 1],
    ["b", 1],
  ]);
});

describe("jobFilter", () => {
  it("means failed tasks alone, not those that run again", () => {
    expect(jobFilter("f", {})).toEqual({ fingerprint: "f", states: ["retry", "archived"] });
  });
  it("keeps what the page is narrowed to", () => {
    expect(jobFilter("f", { queue: ["low"], state: ["retry"], type: "t:*" })).toEqual({
      fingerprint: "f",
      queues: ["low"],
      states: ["retry"],
      type: "t:*",
    });
  });
});

describe("commonPart", () => {
  it("is the longest part without placeholders", () => {
    expect(commonPart(group({ text: "smtp <address> refused the connection <number>" }))).toBe(
      "refused the connection",
    );
  });
  it("is the class where nothing else is left", () => {
    expect(commonPart(group({ text: "<number>" }))).toBe("ValueError");
  });
});
