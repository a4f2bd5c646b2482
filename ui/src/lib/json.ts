/** JSON for people. Works on the text, so that numbers beyond 2^53 and the order of keys stay as they are. Pure. */

type Mark = "key" | "string" | "number" | "word" | "sign" | "space";

export interface Piece {
  readonly mark: Mark;
  readonly text: string;
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]|\s+/gy;

/** The pieces of a JSON text; undefined when it is none. */
export function pieces(text: string): Piece[] | undefined {
  if (!isJson(text)) return undefined;
  const found: Piece[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const token = match[0];
    const first = token[0] ?? "";
    if (/\s/.test(first)) continue;
    if (first === '"') found.push({ mark: "string", text: token });
    else if (/[-\d]/.test(first)) found.push({ mark: "number", text: token });
    else if (/[tfn]/.test(first)) found.push({ mark: "word", text: token });
    else {
      const last = found.at(-1);
      if (first === ":" && last?.mark === "string") found[found.length - 1] = { mark: "key", text: last.text };
      found.push({ mark: "sign", text: token });
    }
  }
  return found;
}

/** The pieces with line breaks and two spaces for each level; undefined when *text* is no JSON. */
export function pretty(text: string): Piece[] | undefined {
  const found = pieces(text);
  if (!found) return undefined;
  const laid: Piece[] = [];
  let depth = 0;
  const line = () => laid.push({ mark: "space", text: `\n${"  ".repeat(depth)}` });
  found.forEach((piece, i) => {
    const next = found[i + 1];
    if (piece.mark !== "sign") {
      laid.push(piece);
    } else if (piece.text === "{" || piece.text === "[") {
      laid.push(piece);
      if (next?.text === "}" || next?.text === "]") return;
      depth += 1;
      line();
    } else if (piece.text === "}" || piece.text === "]") {
      const before = found[i - 1];
      if (before?.mark !== "sign" || (before.text !== "{" && before.text !== "[")) {
        depth -= 1;
        line();
      }
      laid.push(piece);
    } else if (piece.text === ",") {
      laid.push(piece);
      line();
    } else {
      laid.push(piece, { mark: "space", text: " " });
    }
  });
  return laid;
}

/** The same as text; *text* itself when it is no JSON. Makes no pieces, for there are millions of them in large texts. */
export function prettyText(text: string): string {
  if (!isJson(text)) return text;
  const parts: string[] = [];
  let depth = 0;
  let isOpened = false;
  const line = () => parts.push("\n", "  ".repeat(depth));
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const token = match[0];
    const first = token[0] ?? "";
    if (first <= " ") continue;
    const isEnd = first === "}" || first === "]";
    if (isEnd) depth -= 1;
    if (isOpened !== isEnd) line();
    parts.push(token);
    isOpened = first === "{" || first === "[";
    if (isOpened) depth += 1;
    else if (first === ",") line();
    else if (first === ":") parts.push(" ");
  }
  return parts.join("");
}

/** A JSON text without spaces; *text* itself when it is none. */
export const compactText = (text: string): string =>
  isJson(text) ? text.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|\s+/g, "$1") : text;

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
