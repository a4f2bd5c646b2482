import { expect, test } from "vitest";
import { leavePlace, type TaskSearch, taskSearch } from "./routes";

const here = { type: "email:*", state: ["retry"], cursor: "c2", after: 20 };

/** The search of an address to which somebody goes who is at *from*. */
const going = (from: object, to: object) =>
  leavePlace<TaskSearch>({ search: from as TaskSearch, next: () => to as TaskSearch });

test("a place in a list stays while the list is the same, however its address says that", () => {
  const turned = { ...here, cursor: "c3", after: 40 };
  expect(going(here, turned)).toEqual(turned);
  expect(going({ ...here, state: "retry", after: "20" }, here)).toEqual(here);
  expect(going(here, { type: "email:*" })).toEqual({ type: "email:*" });
});

test("it is left behind when something else is looked for, or in another state, or the other way round", () => {
  for (const change of [{ type: "sms:*" }, { state: ["archived"] }, { descending: true }, { status: "retry" }]) {
    const then = going(here, { ...here, ...change });
    expect([then.cursor, then.after]).toEqual([undefined, undefined]);
  }
  // A link that says where in another list is followed.
  const elsewhere = { type: "sms:*", cursor: "c9", after: 10 };
  expect(going(here, elsewhere)).toEqual(elsewhere);
});

test("how many were shown before is a number, or nothing", () => {
  expect(taskSearch({ after: "20" }).after).toBe(20);
  for (const after of ["-1", "x", "", undefined]) expect(taskSearch({ after }).after).toBeUndefined();
});
