import { expect, test } from "vitest";
import { fromBase64, hexDump } from "./hex";

test("sixteen bytes a line, in hex and as characters", () => {
  const data = Uint8Array.from([...Array(16).keys(), 0x41, 0x7e, 0xff]);
  expect(hexDump(data)).toBe(
    "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n" +
      "00000010  41 7e ff                                          |A~.|",
  );
});

test("nothing is nothing", () => expect(hexDump(new Uint8Array())).toBe(""));

test("Base64 keeps bytes that are no text", () => expect([...fromBase64("AP+A")]).toEqual([0, 255, 128]));
