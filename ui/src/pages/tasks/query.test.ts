import { expect, test } from "vitest";
import type { TaskSearch } from "~/routes";
import { format, parse } from "./query";

const NOW = Date.parse("2026-03-01T12:00:00Z");

test.each<[string, TaskSearch]>([
  ["", {}],
  ["type:email:* error:timeout", { type: "email:*", error: "timeout" }],
  ['error:"connection refused" queue:low queue:high', { error: "connection refused", queue: ["low", "high"] }],
  ["state:retry state:archived", { state: ["retry", "archived"] }],
  ["b7e23c1a-1f0e-4c8c-9a43-0a3d2b6f9d10", { id: "b7e23c1a-1f0e-4c8c-9a43-0a3d2b6f9d10" }],
  ["b7e23c1a", { id: "b7e23c1a*" }],
  ["b7e23c1a-1f0", { id: "b7e23c1a-1f0*" }],
  ["id:order-*", { id: "order-*" }],
  ['"b7e23c1a"', { payload: "b7e23c1a" }],
  ["b7e23c1", { payload: "b7e23c1" }],
  ["email:welcome", { payload: "email:welcome" }],
  ["user 42", { payload: "user 42" }],
  ["since:2h", { since: "2026-03-01T10:00:00.000Z" }],
  ["until:2026-02-01T00:00:00Z", { until: "2026-02-01T00:00:00.000Z" }],
  ["field:user.id=7 field:to", { field: ["user.id=7", "to"] }],
  ['field:user.name="Jo A" queue:low', { field: ['user.name="Jo A"'], queue: ["low"] }],
  ['field:user.name="say \\"hi\\" to"', { field: ['user.name="say \\"hi\\" to"'] }],
  ['field:"user.name=Jo A"', { field: ["user.name=Jo A"] }],
  ['field:id="7"', { field: ['id="7"'] }],
  ["header:tenant=acme header:trace", { header: ["tenant=acme", "trace"] }],
  ['header:tenant="Jo A"', { header: ["tenant=Jo A"] }],
  ['header:"tenant=\\"a\\""', { header: ['tenant="a"'] }],
  ['field:user.name="Jo', { field: ['user.name="Jo'] }],
  ['payload:"say \\"hi\\""', { payload: 'say "hi"' }],
])("%s", (line, search) => {
  expect(parse(line, NOW)).toEqual({ search, bad: [] });
});

test("what is not understood is told", () => {
  expect(parse("state:asleep since:yesterday type:t", NOW)).toEqual({
    search: { type: "t" },
    bad: ["state:asleep", "since:yesterday"],
  });
  expect(parse('field:"" header:""', NOW).bad).toEqual(['field:""', 'header:""']);
});

test.each<TaskSearch>([
  {},
  { queue: ["low", "a b"], state: ["retry"], type: "email:*", error: 'a "quoted" \\ text', group: "g" },
  { id: "order-*" },
  {
    header: ["tenant=acme", "trace", "a=b c", 'a="b"', "a=\\"],
    field: ["user.id=7", 'id="7"', 'to="Jo A"', "to=Jo A"],
  },
  { field: ['to="say \\"hi\\" \\\\"', 'to="Jo', '"odd"=1', "a\\.b=1", "a=", 'x="7" y'] },
  { payload: "b7e23c1a" },
  { id: "x", since: "2026-03-01T10:00:00.000Z", fingerprint: "0123456789abcdef" },
])("there and back: %o", (search) => {
  expect(parse(format(search), NOW)).toEqual({ search, bad: [] });
});
