import { expect, test } from "vitest";
import { leavePlace, taskSearch } from "./routes";

const here = { type: "email:*", state: ["retry" as const], cursor: "c2", after: 20 };

test("a place in a list stays while the list is the same, however its address says that", () => {
  const turned = { ...here, cursor: "c3", after: 40 };
  expect(leavePlace({ search: here, next: () => turned })).toEqual(turned);
  const raw = { ...here, state: "retry", after: "20" };
  expect(leavePlace<object>({ search: raw, next: () => here })).toEqual(here);
  expect(leavePlace({ search: here, next: () => ({ type: "email:*" }) })).toEqual({ type: "email:*" });
});

test("it is left behind when something else is looked for, or in another state, or the other way round", () => {
  for (const change of [{ type: "sms:*" }, { state: ["archived" as const] }, { descending: true }, { status: "retry" }]) {
    const then = leavePlace({ search: here, next: (now) => ({ ...now, ...change }) });
    expect([then.cursor, then.after]).toEqual([undefined, undefined]);
  }
  // A link that says where of another list is followed.
  const elsewhere = { type: "sms:*", cursor: "c9", after: 10 };
  expect(leavePlace<object>({ search: here, next: () => elsewhere })).toEqual(elsewhere);
});

test("how many were shown before is a number, or nothing", () => {
  expect(taskSearch({ after: "20" }).after).toBe(20);
  for (const after of ["-1", "x", "", undefined]) expect(taskSearch({ after }).after).toBeUndefined();
});
