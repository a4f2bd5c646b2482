/** Payloads as lines: JSON that folds, text, hex. Pure. */
import { hexDump } from "~/lib/hex";
import { type Piece, pretty } from "~/lib/json";

export interface JsonLine {
  depth: number;
  pieces: readonly Piece[];
  /** Which line closes what this one opens; undefined when it opens nothing. */
  end?: number;
}

/** The lines of a JSON text; undefined when it is none. */
export function jsonLines(text: string): JsonLine[] | undefined {
  const laid = pretty(text);
  if (!laid) return undefined;
  const lines: JsonLine[] = [];
  let depth = 0;
  let current: Piece[] = [];
  const open: number[] = [];
  const end = () => {
    const first = current[0];
    const last = current.at(-1);
    const at = lines.length;
    lines.push({ depth, pieces: current });
    if (first?.mark === "sign" && (first.text === "}" || first.text === "]")) {
      const opener = lines[open.pop() ?? -1];
      if (opener) opener.end = at;
    }
    if (last?.mark === "sign" && (last.text === "{" || last.text === "[")) open.push(at);
    current = [];
  };
  for (const piece of laid) {
    if (piece.mark === "space" && piece.text.startsWith("\n")) {
      end();
      depth = (piece.text.length - 1) / 2;
    } else {
      current.push(piece);
    }
  }
  end();
  return lines;
}

/** Which lines are to be seen while *folded* ones hide what is in them. */
export function visible(lines: readonly JsonLine[], folded: ReadonlySet<number>): number[] {
  const shown: number[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    shown.push(at);
    const end = lines[at]?.end;
    if (end !== undefined && folded.has(at)) at = end;
  }
  return shown;
}

/** The lines of a text; those that are longer than *longest* characters are broken, for the sake of the browser. */
export function textLines(text: string, longest = 2_000): string[] {
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.length <= longest) lines.push(line);
    else for (let at = 0; at < line.length; at += longest) lines.push(line.slice(at, at + longest));
  }
  return lines;
}

/** One line of a hex dump, sixteen bytes from `16 * row` on. */
export function hexLine(data: Uint8Array, row: number): string {
  const line = hexDump(data.subarray(row * 16, row * 16 + 16));
  return (row * 16).toString(16).padStart(8, "0") + line.slice(8);
}
