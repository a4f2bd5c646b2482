/** Two payloads made comparable, line by line: JSON with indentation, text, or a part of what is no text. Pure. */
import { prettyText } from "~/lib/json";
import { decoded, firstDifference } from "./bytes";
import { hexLine } from "./lines";

const LINE = 16;
const LINES_BEFORE = 3;
/** Lines of hex that are compared, from the first difference on. */
const LINES = 256;

export interface Comparison {
  before: string;
  after: string;
  /** How many bytes of what is no text are not in them. */
  left: { before: number; after: number };
  /** Whether both are the same for people: JSON with other spaces, say. */
  isSame: boolean;
}

export function compare(before: Uint8Array, after: Uint8Array): Comparison {
  const texts = { before: decoded(before), after: decoded(after) };
  const areBytes = texts.before === undefined && texts.after === undefined;
  const first = areBytes ? Math.max(0, Math.floor(firstDifference(before, after) / LINE) - LINES_BEFORE) : 0;
  const one = part(before, texts.before, first);
  const other = part(after, texts.after, first);
  return {
    before: one.text,
    after: other.text,
    left: { before: one.left, after: other.left },
    isSame: !areBytes && one.left + other.left === 0 && one.text === other.text,
  };
}

function part(bytes: Uint8Array, text: string | undefined, first: number): { text: string; left: number } {
  if (text !== undefined) return { text: prettyText(text), left: 0 };
  const lines = hexLines(bytes, first, LINES);
  return { text: lines.join("\n"), left: Math.max(0, bytes.length - lines.length * LINE) };
}

/** So many lines of a hex dump, from line *first* on. */
export function hexLines(bytes: Uint8Array, first: number, many: number): string[] {
  const last = Math.min(Math.ceil(bytes.length / LINE), first + many);
  return Array.from({ length: Math.max(0, last - first) }, (_, at) => hexLine(bytes, first + at));
}
