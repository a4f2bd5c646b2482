import { expect, test } from "vitest";
import type { Queue } from "~/api/client";
import { allowedForAll, filterOf, isFiltered, signOf, totalOf } from "./scope";

const queue = (parts: Partial<Queue>): Queue =>
  ({ pending: 0, active: 0, aggregating: 0, scheduled: 0, retry: 0, archived: 0, completed: 0, ...parts }) as Queue;

test("what can be done to all that fit, in the order of buttons", () => {
  const allowed = { retry: ["delete", "run"], archived: ["again"] } as const;
  const table = { retry: [...allowed.retry], archived: [...allowed.archived] };
  expect(allowedForAll({ state: ["retry"] }, table, true)).toEqual(["run", "delete"]);
  expect(allowedForAll({ state: ["retry", "archived"] }, table, true)).toEqual(["run", "again", "delete"]);
  expect(allowedForAll({ state: ["retry"] }, table, false)).toEqual([]);
  expect(allowedForAll({ state: ["retry"], id: "one" }, table, true)).toEqual([]);
  expect(allowedForAll({ state: ["retry"], id: "begin*" }, table, true)).toEqual(["run", "delete"]);
});

test("an action on all takes the filters along, and the begin of ids as one", () => {
  expect(filterOf({ queue: ["low"], state: ["retry"], id: "inv-*", type: "t", descending: true })).toEqual({
    queues: ["low"],
    states: ["retry"],
    id_prefix: "inv-",
    type: "t",
  });
});

test("headers and fields filter, and an action on all takes them along", () => {
  const search = { state: ["retry" as const], header: ["tenant=acme"], field: ["user.id=7"] };
  expect(filterOf(search)).toEqual({ states: ["retry"], headers: ["tenant=acme"], fields: ["user.id=7"] });
  for (const part of [{ header: ["tenant"] }, { field: ["user"] }]) expect(isFiltered(part)).toBe(true);
});

test("a group is listed as it is only while its tasks wait in it", () => {
  expect(isFiltered({ group: "g", state: ["aggregating"] })).toBe(false);
  expect(isFiltered({ group: "g", state: ["retry"] })).toBe(true);
  expect(isFiltered({ queue: ["low"], state: ["retry"] })).toBe(false);
});

test("counters tell how many there are, and when that has changed", () => {
  const queues = { low: queue({ retry: 2, archived: 3 }), high: queue({ retry: 5 }) };
  expect(totalOf(queues, { state: ["retry"] })).toBe(7);
  expect(totalOf(queues, { queue: ["low"] })).toBe(5);
  expect(totalOf(queues, { group: "g" })).toBeNull();
  const search = { queue: ["low"], state: ["retry" as const] };
  expect(signOf(queues, search)).toBe(signOf({ ...queues, high: queue({ retry: 9 }) }, search));
  expect(signOf(queues, search)).not.toBe(signOf({ ...queues, low: queue({ retry: 1 }) }, search));
});
