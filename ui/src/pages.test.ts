import { expect, test } from "vitest";
import { pageAt, pages } from "./pages";

test("finds the page of an address", () => {
  expect(pageAt("")).toBe(pages.overview);
  expect(pageAt("/")).toBe(pages.overview);
  expect(pageAt("/queues/email%2Flow")).toBe(pages.queue);
  expect(pageAt("/queues/default/tasks/a%20b")).toBe(pages.task);
  expect(pageAt("/q/metrics/")).toBe(pages.metrics);
  expect(pageAt("/nothing/here")).toBeUndefined();
});
