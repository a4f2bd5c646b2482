import { expect, test } from "vitest";
import { merged } from "./connection";

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
