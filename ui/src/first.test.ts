import { expect, test } from "vitest";
import { firstReads } from "./first";

const first = (address: string) => {
  const { pathname, searchParams } = new URL(address, "http://dash");
  return firstReads(pathname, searchParams, 20);
};

test("what pages are sure to ask for", () => {
  expect(first("/tasks")).toEqual(["tasks?limit=20"]);
  expect(first("/failures")).toEqual(["failures?limit=200"]);
  expect(first("/queues/a%2Fb")).toEqual(["tasks?queue=a%2Fb&state=active&limit=20"]);
  expect(first("/queues/low?status=retry")).toEqual(["tasks?queue=low&state=retry&limit=20"]);
  expect(first("/queues/low/tasks/a:b?tab=why")).toEqual(["queues/low/tasks/a%3Ab"]);
  expect(first("/queues/50%")).toEqual(["tasks?queue=50%25&state=active&limit=20"]);
});

test("nothing where the address says something special", () => {
  for (const address of [
    "/",
    "/servers",
    "/tasks?type=email",
    "/failures?queue=low",
    "/queues/low?status=retry&type=email",
    "/queues/low?type=email",
    "/queues/low?status=aggregating",
  ])
    expect(first(address)).toEqual([]);
});
