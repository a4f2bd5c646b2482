import { describe, expect, it, vi } from "vitest";
import {
  areEqual,
  bytesOf,
  decoded,
  digestOf,
  firstDifference,
  isWritable,
  jsonError,
  largestPayload,
  sentBytes,
  toBase64,
  toHex,
} from "./bytes";
import { compare } from "./compare";
import { cut, diff, shortened } from "./diff";
import { hexLine, jsonLines, textLines, visible } from "./lines";
import { bestForm, draftOf, misfitsOf, rowsOf, written } from "./PayloadField";

const text = (bytes?: Uint8Array) => bytes && new TextDecoder().decode(bytes);

describe("jsonLines", () => {
  it("knows which line closes what another one opens", () => {
    const lines = jsonLines('{"a":[1,{"b":{}}],"c":"}"}') ?? [];
    const shown = lines.map((line) => "  ".repeat(line.depth) + line.pieces.map((piece) => piece.text).join(""));
    expect(shown).toEqual(["{", '  "a": [', "    1,", "    {", '      "b": {}', "    }", "  ],", '  "c": "}"', "}"]);
    expect(lines.map((line) => line.end)).toEqual([8, 6, undefined, 5, ...Array(5).fill(undefined)]);
    expect(visible(lines, new Set([1]))).toEqual([0, 1, 7, 8]);
    expect(visible(lines, new Set([0]))).toEqual([0]);
  });

  it("does not choke on megabytes", () => {
    const many = JSON.stringify(Array.from({ length: 50_000 }, (_, i) => ({ id: i, name: `task ${i}` })));
    expect(jsonLines(many)).toHaveLength(200_002);
    const long = JSON.stringify({ text: "x".repeat(3_000_000) });
    expect(jsonLines(long)).toHaveLength(3);
  });

  it("gives up on what is no JSON", () => expect(jsonLines("{")).toBeUndefined());
});

it("breaks lines that are too long", () => {
  expect(textLines("abcdef\r\ng", 4)).toEqual(["abcd", "ef", "g"]);
});

it("dumps one line of bytes", () => {
  expect(
    hexLine(
      Uint8Array.from({ length: 20 }, (_, i) => i + 60),
      1,
    ),
  ).toBe(`00000010  4c 4d 4e 4f${" ".repeat(37)}  |LMNO|`);
});

describe("bytesOf", () => {
  it("stores JSON without spaces and leaves numbers as they are", () => {
    const reading = bytesOf({ form: "json", text: '{ "b": 12345678901234567890,\n "a": 1.0 }' });
    expect(text(reading.bytes)).toBe('{"b":12345678901234567890,"a":1.0}');
  });

  it("says what is wrong", () => {
    expect(bytesOf({ form: "json", text: "{" }).error).toMatch(/JSON/);
    expect(bytesOf({ form: "hex", text: "0g" }).error).toContain("“g”");
    expect(bytesOf({ form: "hex", text: "0" }).error).toBe("There is half a byte at the end");
    expect(bytesOf({ form: "base64", text: "*" }).error).toBe("This is no Base64");
    expect(bytesOf({ form: "file", text: "" }).error).toBe("No file is chosen");
  });

  it("reads bytes in each form", () => {
    expect(bytesOf({ form: "hex", text: "00 ff\n10" }).bytes).toEqual(Uint8Array.of(0, 255, 16));
    expect(bytesOf({ form: "base64", text: toBase64(Uint8Array.of(0, 255)) }).bytes).toEqual(Uint8Array.of(0, 255));
    expect(bytesOf({ form: "json", text: " " }).bytes).toHaveLength(0);
    expect(text(bytesOf({ form: "text", text: "ä" }).bytes)).toBe("ä");
  });
});

it("chooses how bytes are written", () => {
  const of = (word: string) => new TextEncoder().encode(word);
  expect([of(""), of("[1]"), of("hi"), Uint8Array.of(255)].map(bestForm)).toEqual(["json", "json", "text", "hex"]);
  expect(written(of('{"a":1}'), "json")?.text).toBe('{\n  "a": 1\n}');
  expect(written(Uint8Array.of(255), "text")).toBeUndefined();
  expect(decoded(Uint8Array.of(255))).toBeUndefined();
  expect(jsonError("[]")).toBeUndefined();
});

describe("large payloads", () => {
  const large = Uint8Array.from({ length: 5_000_000 }, (_, i) => i * 7);

  it("become a file to be replaced", () => {
    const draft = draftOf(large, "a.bin");
    expect([draft.form, draft.text, draft.file?.name]).toEqual(["file", "", "a.bin"]);
    expect(draft.file?.bytes).toBe(large);
    expect(draftOf(large.slice(0, 1000), "a.bin").form).toBe("hex");
    const json = new TextEncoder().encode(JSON.stringify({ a: "x".repeat(1_000_000) }));
    expect(draftOf(json, "a.json")).toEqual({ form: "json", text: decoded(json) });
    expect(draftOf(new TextEncoder().encode("line\n".repeat(50_000)), "a.txt").form).toBe("file");
    expect(draftOf(new TextEncoder().encode("line\n".repeat(10_000)), "a.txt").form).toBe("text");
    const tooMuch = new TextEncoder().encode(JSON.stringify({ a: "x".repeat(3_000_000) }));
    expect(draftOf(tooMuch, "a.json").form).toBe("file");
    expect([isWritable(json, "json"), isWritable(json, "hex"), isWritable(json, "file")]).toEqual([true, false, true]);
  });

  it("are read once", () => {
    const draft = { form: "hex", text: toHex(large) } as const;
    expect(bytesOf(draft).bytes).toBe(bytesOf(draft).bytes);
    expect(areEqual(bytesOf(draft).bytes ?? new Uint8Array(), large)).toBe(true);
  });

  it("are compared around the first difference, and it is told what is not shown", () => {
    const after = large.with(2_000_000, 255);
    const found = compare(large, after);
    expect(firstDifference(large, after)).toBe(2_000_000);
    expect(found.before.split("\n")).toHaveLength(256);
    expect(found.before.split("\n")[3]).toMatch(/^001e8480 {2}/);
    expect(found.left).toEqual({ before: 5_000_000 - 4096, after: 5_000_000 - 4096 });
    expect(found.isSame).toBe(false);
    expect(shortened(diff(found.before, found.after)).map((each) => each.kind)).toEqual([
      "same",
      "same",
      "same",
      "removed",
      "added",
      "same",
      "same",
      "same",
      "skipped",
    ]);
  });

  it("show their first lines where all of them are replaced", () => {
    const many = (word: string) => Array.from({ length: 100_000 }, (_, i) => `${word} ${i}`).join("\n");
    const shown = cut(diff(many("a"), many("b")));
    expect(shown).toHaveLength(2_001);
    expect(shown[999]).toEqual({ kind: "removed", text: "a 999" });
    expect(shown[1000]).toEqual({ kind: "left", text: "99000" });
    expect(shown[1001]).toEqual({ kind: "added", text: "b 0" });
    expect(shown.at(-1)?.kind).toBe("left");
    const left = shown.filter((each) => each.kind === "left").reduce((sum, each) => sum + Number(each.text), 0);
    expect(left + shown.length - 2).toBe(200_000);
    const few = diff("a\nb", "a\nc");
    expect(cut(few)).toEqual(few);
  });
});

it("compares JSON by what it says", () => {
  const of = (word: string) => new TextEncoder().encode(word);
  expect(compare(of('{"a":1}'), of('{ "a": 1 }'))).toMatchObject({ isSame: true, left: { before: 0, after: 0 } });
  expect(compare(of("1"), of("2")).isSame).toBe(false);
  const mixed = compare(Uint8Array.of(0, 255), of('{"a":1}'));
  expect([mixed.before.slice(0, 15), mixed.after]).toEqual(["00000000  00 ff", '{\n  "a": 1\n}']);
});

it("digests bytes, also where the browser does not", async () => {
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  expect(await digestOf(new Uint8Array())).toBe(empty);
  vi.stubGlobal("crypto", {});
  expect(await digestOf(new Uint8Array())).toBe(empty);
  vi.unstubAllGlobals();
});

it("has as many rows as there are lines, within bounds", () => {
  expect(["", "a\nb\nc\nd", "\n".repeat(99)].map((each) => rowsOf(each, 3, 24))).toEqual([3, 4, 24]);
});

it("finds what the server has against a payload", () => {
  const errors = [{ path: "$.user_id", message: "'x' is not of type 'integer'" }];
  expect(misfitsOf({ errors })).toEqual(errors);
  expect(misfitsOf({ detail: "no" })).toEqual([]);
});

describe("diff", () => {
  it("tells what was taken out and put in", () => {
    expect(diff("a\nb\nc", "a\nx\nc\nd").map((each) => `${each.kind} ${each.text}`)).toEqual([
      "same a",
      "removed b",
      "added x",
      "same c",
      "added d",
    ]);
  });

  it("tells nothing where nothing has changed", () => {
    expect(shortened(diff("a\nb", "a\nb"))).toEqual([{ kind: "skipped", text: "2" }]);
  });

  it("leaves out what is far from any change", () => {
    const before = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const after = before.with(10, "other");
    expect(shortened(diff(before.join("\n"), after.join("\n")), 1).map((each) => `${each.kind} ${each.text}`)).toEqual([
      "skipped 9",
      "same line 9",
      "removed line 10",
      "added other",
      "same line 11",
      "skipped 8",
    ]);
  });

  it("takes very different texts as replaced", () => {
    const many = (word: string) => Array.from({ length: 3_000 }, (_, i) => `${word} ${i}`).join("\n");
    expect(diff(many("a"), many("b"))).toHaveLength(6_000);
  });
});

it("knows how large a request is, and how large a payload may be in it", () => {
  const rest = { type: "é" };
  for (const size of [0, 1, 2, 3, 1000]) {
    const payload = new Uint8Array(size);
    const sent = JSON.stringify({ ...rest, payload_base64: toBase64(payload) });
    expect(sentBytes(payload, rest)).toBe(new TextEncoder().encode(sent).length);
  }
  const largest = largestPayload(10_000, rest);
  expect(sentBytes(new Uint8Array(largest), rest)).toBeLessThanOrEqual(10_000);
  expect(sentBytes(new Uint8Array(largest + 1), rest)).toBeGreaterThan(10_000);
  expect(largestPayload(10)).toBe(0);
});
