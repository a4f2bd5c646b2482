/** Searches for tasks as one line of text, `type:email:* field:user.id=7 queue:low`, and back. Pure. */
import type { TaskState } from "~/api/client";
import { isState } from "~/lib/states";
import type { TaskSearch } from "~/routes";

const NAMES = [
  "queue",
  "state",
  "id",
  "type",
  "payload",
  "error",
  "group",
  "header",
  "field",
  "since",
  "until",
  "fingerprint",
] as const;
type Name = (typeof NAMES)[number];

export interface Parsed {
  search: TaskSearch;
  /** Words that mean nothing. */
  bad: string[];
}

const WORD = /(?:([a-z]+):)?(?:"((?:[^"\\]|\\.)*)"|(\S+))/gy;
/** What may have quotes in the middle: `field:user.name="Jo A"`. */
const CONDITION = /(header|field):((?:[^\s"]|"(?:[^"\\]|\\.)*")+)(?=\s|$)/gy;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ID_START = /^[0-9a-f]{8}(-[0-9a-f-]{0,26})?\*?$/i;
const AGO = /^(\d+)(s|m|h|d)$/;
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What *line* looks for; a word without a name is part of the payload, a whole id, or the first eight digits of one. */
export function parse(line: string, now: number = Date.now()): Parsed {
  const search: TaskSearch = {};
  const bad: string[] = [];
  const loose: string[] = [];
  const queues: string[] = [];
  const states: TaskState[] = [];
  const conditions = { header: [] as string[], field: [] as string[] };
  let at = 0;
  while (at < line.length) {
    if (/\s/.test(line[at] ?? "")) {
      at += 1;
      continue;
    }
    CONDITION.lastIndex = at;
    const condition = CONDITION.exec(line);
    if (condition && !condition[2]?.startsWith('"')) {
      at = CONDITION.lastIndex;
      const [, name, text = ""] = condition;
      if (name === "header")
        conditions.header.push(text.replace(/=(?:"((?:[^"\\]|\\.)*)")$/, (_, value) => `=${plain(value)}`));
      else conditions.field.push(text);
      continue;
    }
    WORD.lastIndex = at;
    const match = WORD.exec(line);
    if (!match) break;
    at = WORD.lastIndex;
    let [whole, name, quoted, unquoted] = match;
    if (name && !NAMES.includes(name as Name)) {
      // Types have colons too: "email:welcome" by itself is no name with a value.
      unquoted = `${name}:${unquoted ?? quoted ?? ""}`;
      name = undefined;
    }
    const value = quoted !== undefined ? plain(quoted) : (unquoted ?? "");
    if (!name) {
      if (UUID.test(value)) search.id = value;
      else if (quoted === undefined && ID_START.test(value)) search.id = value.endsWith("*") ? value : `${value}*`;
      else loose.push(value);
    } else if (name === "queue") queues.push(value);
    else if (name === "state") isState(value) ? states.push(value) : bad.push(whole);
    else if (name === "since" || name === "until") {
      const moment = momentOf(value, now);
      if (moment) search[name] = moment;
      else bad.push(whole);
    } else if (name === "header" || name === "field") {
      if (value) conditions[name].push(value);
      else bad.push(whole);
    } else if (value) search[name as Exclude<Name, "queue" | "state" | "header" | "field" | "since" | "until">] = value;
  }
  if (loose.length) search.payload = [search.payload, ...loose].filter(Boolean).join(" ");
  if (queues.length) search.queue = queues;
  if (states.length) search.state = states;
  if (conditions.header.length) search.header = conditions.header;
  if (conditions.field.length) search.field = conditions.field;
  return { search, bad };
}

/** A moment as the API takes it: ISO 8601, or so long ago; undefined when it is neither. */
export function momentOf(value: string, now: number): string | undefined {
  const ago = AGO.exec(value);
  if (ago) return new Date(now - Number(ago[1]) * UNIT_MS[ago[2] as keyof typeof UNIT_MS]).toISOString();
  if (!/^\d{4}-\d\d-\d\d/.test(value)) return undefined;
  const moment = new Date(value);
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString();
}

/** *search* as one line that `parse` understands. */
export function format(search: TaskSearch): string {
  const words: string[] = [];
  for (const name of NAMES) {
    const value = search[name];
    for (const each of Array.isArray(value) ? value : [value]) {
      // The text of a field has quotes of its own, which mean something.
      const isWhole = name === "field" && each !== undefined && IS_FIELD.test(each);
      if (each) words.push(`${name}:${isWhole ? each : quoted(each)}`);
    }
  }
  return words.join(" ");
}

const IS_FIELD = /^[^\s"](?:[^\s"]|"(?:[^"\\]|\\.)*")*$/;

/** What a text in quotes stands for. */
const plain = (text: string): string => text.replace(/\\(.)/g, "$1");

const quoted = (value: string): string =>
  /^[^\s"\\]+$/.test(value) ? value : `"${value.replace(/["\\]/g, (character) => `\\${character}`)}"`;
