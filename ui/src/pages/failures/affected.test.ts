import { expect, it } from "vitest";
import { affected, affectedInShort } from "./affected";
import type { Failure } from "./groups";

const group = (servers: Record<string, number>, versions: Record<string, number>): Failure =>
  ({ servers, versions, server_count: Object.keys(servers).filter(Boolean).length }) as Failure;

it("tells servers and versions, the largest first", () => {
  const found = group({ "a:1": 30, "b:1": 30, "c:1": 40 }, { "1.4.1": 12, "1.4.2": 88 });
  expect(affected(found)).toBe("on 3 servers, versions 1.4.2 (88), 1.4.1 (12)");
  expect(affectedInShort(found)).toBe("on 3 servers, versions 1.4.2, 1.4.1");
});

it("knows what one is", () => {
  const found = group({ "a:1": 2 }, { "1.4.1": 2 });
  expect(affected(found)).toBe("on 1 server, version 1.4.1 (2)");
  expect(affectedInShort(found)).toBe("on 1 server, version 1.4.1");
});

it("does not guess", () => {
  const partly = group({ "a:1": 2, "": 90 }, { "1.4.1": 2, "": 90 });
  expect(affected(partly)).toBe("on 1 server, versions 1.4.1 (2), unknown (90)");
  expect(affectedInShort(partly)).toBe("on 1 server, version 1.4.1");
  expect(affected(group({ "a:1": 2 }, { "": 2 }))).toBe("on 1 server, versions unknown");
  expect(affected(group({ "": 2 }, { "": 2 }))).toBe("on unknown servers, versions unknown");
  expect(affectedInShort(group({ "": 2 }, { "": 2 }))).toBe("");
});

it("names some of many", () => {
  const found = group({ "a:1": 6 }, { v1: 1, v2: 1, v3: 1, v4: 1, v5: 1, v6: 1 });
  expect(affected(found)).toBe("on 1 server, versions v1 (1), v2 (1), v3 (1), v4 (1) and 2 more");
  expect(affectedInShort(found)).toBe("on 1 server, versions v1, v2, v3 and 3 more");
});
