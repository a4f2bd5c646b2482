import { afterEach, expect, test, vi } from "vitest";
import { readAhead, taken } from "./ahead";

const request = (path: string, method = "GET") => new Request(new URL(path, document.baseURI), { method });

afterEach(() => vi.unstubAllGlobals());

function answering(answer: Promise<Response>) {
  vi.stubGlobal(
    "fetch",
    vi.fn(() => answer),
  );
}

test("gives an answer once, whatever the order of the parameters", async () => {
  const answer = new Response("[]");
  answering(Promise.resolve(answer));
  readAhead("/api/v2/tasks?queue=low&limit=20");
  expect(taken(request("/api/v2/tasks?queue=low&limit=50"))).toBeUndefined();
  expect(await taken(request("/api/v2/tasks?limit=20&queue=low"))).toBe(answer);
  expect(taken(request("/api/v2/tasks?limit=20&queue=low"))).toBeUndefined();
});

test("whoever takes it is told what went wrong, and nobody else", async () => {
  answering(Promise.reject(new TypeError("no network")));
  readAhead("/api/v2/meta");
  readAhead("/api/v2/tasks");
  await expect(taken(request("/api/v2/meta"))).rejects.toThrow("no network");
});

test("changes nothing, and is of no use later", () => {
  answering(Promise.resolve(new Response("{}")));
  readAhead("/api/v2/meta");
  expect(taken(request("/api/v2/meta", "POST"))).toBeUndefined();
  readAhead("/api/v2/meta");
  vi.spyOn(performance, "now").mockReturnValue(20_000);
  expect(taken(request("/api/v2/meta"))).toBeUndefined();
});
