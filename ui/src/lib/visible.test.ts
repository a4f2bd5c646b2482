import { expect, it } from "vitest";
import { visibleText } from "./visible";

it("shows what turns text around or cannot be seen", () => {
  expect(visibleText("invoice\u202efdp.exe")).toBe("invoice\\u202efdp.exe");
  expect(visibleText("a\u0000b\u200bc\u2066d")).toBe("a\\u0000b\\u200bc\\u2066d");
});

it("leaves everything else", () => {
  for (const text of ["a\tb\r\nc", "שלום عليكم", "👩‍👩‍👧 é", '{"a": "\\u202e"}']) expect(visibleText(text)).toBe(text);
});
