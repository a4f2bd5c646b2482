/** Between bytes and what a person types. Pure, but for `inflate`. */
import { fromBase64 } from "~/lib/hex";
import { compactText } from "~/lib/json";

/** How a payload is written in a form. */
export const FORMS = ["json", "text", "hex", "base64", "file"] as const;
export type Form = (typeof FORMS)[number];

/** A draft is never changed: another one takes its place. */
export interface Draft {
  form: Form;
  text: string;
  /** What was uploaded, for `file`. */
  file?: { name: string; bytes: Uint8Array };
}

export type Reading = { bytes: Uint8Array; error?: undefined } | { bytes?: undefined; error: string };

/** The text of UTF-8 *bytes*; undefined when they are none. */
export function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export function toBase64(bytes: Uint8Array): string {
  let characters = "";
  for (let at = 0; at < bytes.length; at += 8192) characters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(characters);
}

/** How many bytes are sent for *payload* as Base64, beside the *rest* of a request. */
export const sentBytes = (payload: Uint8Array, rest: object = {}): number =>
  new TextEncoder().encode(JSON.stringify({ ...rest, payload_base64: "" })).length + Math.ceil(payload.length / 3) * 4;

/** How large a payload may be at most for a request of *limit* bytes with this *rest*. */
export const largestPayload = (limit: number, rest: object = {}): number =>
  Math.max(0, Math.floor((limit - sentBytes(new Uint8Array(), rest)) / 4) * 3);

const DIGITS = new TextEncoder().encode("0123456789abcdef");

/** *bytes* as pairs of digits with blanks between. */
export function toHex(bytes: Uint8Array): string {
  const characters = new Uint8Array(Math.max(0, bytes.length * 3 - 1)).fill(32);
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    characters[at * 3] = DIGITS[byte >> 4] ?? 0;
    characters[at * 3 + 1] = DIGITS[byte & 15] ?? 0;
  }
  return new TextDecoder().decode(characters);
}

function fromHex(digits: string): Uint8Array {
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

/** The first place where they differ; the length of the shorter one where it is how the other begins. */
export function firstDifference(one: Uint8Array, other: Uint8Array): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) if (one[at] !== other[at]) return at;
  return length;
}

export const areEqual = (one: Uint8Array, other: Uint8Array): boolean =>
  one === other || (one.length === other.length && firstDifference(one, other) === one.length);

/** More bytes than these are not shown to be written, but exchanged as a file. */
const LARGEST_WRITTEN: Readonly<Record<Form, number>> = {
  json: 2 * 1024 * 1024,
  text: 2 * 1024 * 1024,
  hex: 64 * 1024,
  base64: 64 * 1024,
  file: Number.POSITIVE_INFINITY,
};

/** So many lines take browsers about a second to lay out in a field; what takes them long is lines, not characters. */
const MOST_LINES = 20_000;

/** JSON of more characters than these is written without indentation, which would make too many lines of it. */
export const LARGEST_INDENTED = 256 * 1024;

/** Whether *bytes* are few enough to be written in *form*. */
export function isWritable(bytes: Uint8Array, form: Form): boolean {
  if (bytes.length > LARGEST_WRITTEN[form]) return false;
  if (form !== "text") return true;
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0 && lines < MOST_LINES; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines < MOST_LINES;
}

/** The SHA-256 of *bytes* in hex. Browsers give none to pages over HTTP from another machine: then a library does it. */
export async function digestOf(bytes: Uint8Array): Promise<string> {
  const digest = globalThis.crypto?.subtle
    ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource))
    : (await import("@noble/hashes/sha2.js")).sha256(bytes);
  return toHex(digest).replaceAll(" ", "");
}

/** What is wrong with a JSON text; undefined when nothing is. */
export function jsonError(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const READINGS = new WeakMap<Draft, Reading>();

/** The bytes that a draft stands for, read once. JSON is stored without spaces; nothing at all is an empty payload. */
export function bytesOf(draft: Draft): Reading {
  const reading = READINGS.get(draft) ?? read(draft);
  READINGS.set(draft, reading);
  return reading;
}

function read(draft: Draft): Reading {
  const encoder = new TextEncoder();
  switch (draft.form) {
    case "json": {
      if (draft.text.trim() === "") return { bytes: new Uint8Array() };
      const error = jsonError(draft.text);
      return error ? { error } : { bytes: encoder.encode(compactText(draft.text)) };
    }
    case "text":
      return { bytes: encoder.encode(draft.text) };
    case "hex": {
      const digits = draft.text.replace(/\s+/g, "");
      const wrong = /[^0-9a-f]/i.exec(digits);
      if (wrong) return { error: `“${wrong[0]}” is no hexadecimal digit` };
      if (digits.length % 2) return { error: "There is half a byte at the end" };
      return { bytes: fromHex(digits) };
    }
    case "base64":
      try {
        return { bytes: fromBase64(draft.text.replace(/\s+/g, "")) };
      } catch {
        return { error: "This is no Base64" };
      }
    case "file":
      return draft.file ? { bytes: draft.file.bytes } : { error: "No file is chosen" };
  }
}

/** Compressed bytes as they were before; undefined when this browser cannot. */
export async function inflate(bytes: Uint8Array, encoding: string): Promise<Uint8Array | undefined> {
  const format = encoding === "gzip" ? "gzip" : encoding === "zlib" ? "deflate" : undefined;
  if (!format || typeof DecompressionStream === "undefined") return undefined;
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
