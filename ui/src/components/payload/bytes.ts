/** Between bytes and what a person types. Pure, but for `inflate`. */
import { fromBase64 } from "~/lib/hex";
import { pieces } from "~/lib/json";

/** How a payload is written in a form. */
export const FORMS = ["json", "text", "hex", "base64", "file"] as const;
export type Form = (typeof FORMS)[number];

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

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

export const areEqual = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);

/** What is wrong with a JSON text; undefined when nothing is. */
export function jsonError(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** JSON without line breaks and indentation; numbers and the order of keys stay as they are. */
export const compact = (text: string): string =>
  pieces(text)
    ?.map((piece) => piece.text)
    .join("") ?? text;

/** The bytes that a draft stands for. JSON is stored without spaces; nothing at all is an empty payload. */
export function bytesOf(draft: Draft): Reading {
  const encoder = new TextEncoder();
  switch (draft.form) {
    case "json": {
      if (draft.text.trim() === "") return { bytes: new Uint8Array() };
      const error = jsonError(draft.text);
      return error ? { error } : { bytes: encoder.encode(compact(draft.text)) };
    }
    case "text":
      return { bytes: encoder.encode(draft.text) };
    case "hex": {
      const digits = draft.text.replace(/\s+/g, "");
      const wrong = /[^0-9a-f]/i.exec(digits);
      if (wrong) return { error: `“${wrong[0]}” is no hexadecimal digit` };
      if (digits.length % 2) return { error: "There is half a byte at the end" };
      return { bytes: Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)) };
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
