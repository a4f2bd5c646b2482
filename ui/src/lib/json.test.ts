import { expect, test } from "vitest";
import { compactText, pieces, pretty, prettyText } from "./json";

test("numbers beyond 2^53, exponents and the order of keys stay as they are", () => {
  expect(prettyText('{"b":12345678901234567890,"a":1e400,"c":-0.10}')).toBe(
    '{\n  "b": 12345678901234567890,\n  "a": 1e400,\n  "c": -0.10\n}',
  );
});

test("nested, empty, and brackets in texts", () => {
  expect(prettyText('[{},[],"}",{"a":[1,null]}]')).toBe(
    '[\n  {},\n  [],\n  "}",\n  {\n    "a": [\n      1,\n      null\n    ]\n  }\n]',
  );
});

test("what is no JSON is left alone", () => {
  expect(pieces("hello {")).toBeUndefined();
  expect(prettyText("hello {")).toBe("hello {");
});

test("keys are told from other texts", () => {
  expect(pieces('{"a":"b"}')?.map((piece) => piece.mark)).toEqual(["sign", "key", "sign", "string", "sign"]);
});

test.each(["[]", " 1 ", '{"a": {}, "b":[ [ ],{"c" : "x y\\"  }"}], "d":[1 ,\t-2e+5,true,null]}'])(
  "with and without spaces: %s",
  (text) => {
    const laid = prettyText(text);
    expect(laid).toBe(
      pretty(text)
        ?.map((piece) => piece.text)
        .join(""),
    );
    expect(compactText(laid)).toBe(
      pieces(text)
        ?.map((piece) => piece.text)
        .join(""),
    );
    expect(compactText("a  b")).toBe("a  b");
  },
);
