/** A new task as a form has it: what it asks of the server, and the same in Python and on the command line. Pure. */
import type { Schemas } from "~/api/client";
import { bytesOf, type Draft, decoded, toBase64 } from "~/components/payload/bytes";
import { quoted } from "~/lib/cli";
import { pieces } from "~/lib/json";

export interface TaskForm {
  type: string;
  queue: string;
  payload: Draft;
  when: "now" | "in" | "at";
  delay: string;
  /** As an input of type datetime-local has it. */
  moment: string;
  maxRetry: string;
  timeout: string;
  deadline: string;
  retention: string;
  unique: string;
  group: string;
  id: string;
  headers: { name: string; value: string }[];
}

export const EMPTY: TaskForm = {
  type: "",
  queue: "default",
  payload: { form: "json", text: "" },
  when: "now",
  delay: "",
  moment: "",
  maxRetry: "",
  timeout: "",
  deadline: "",
  retention: "",
  unique: "",
  group: "",
  id: "",
  headers: [],
};

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** "90", "250ms", "1m30s", "2h" or "7d" in seconds; undefined when it is none of these. */
export function duration(text: string): number | undefined {
  const word = text.trim();
  if (/^\d+(\.\d+)?$/.test(word)) return Number(word);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(word)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of word.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    seconds += Number(number) * (UNITS[unit ?? ""] ?? 0);
  }
  return Number(seconds.toFixed(3));
}

/** Seconds in the way that `duration` reads: 5400 → "1h30m". */
export function durationText(seconds: number): string {
  let rest = Math.round(seconds * 1000) / 1000;
  let text = "";
  for (const unit of ["d", "h", "m"] as const) {
    const many = Math.floor(rest / (UNITS[unit] ?? 1));
    if (many) text += `${many}${unit}`;
    rest -= many * (UNITS[unit] ?? 1);
  }
  rest = Math.round(rest * 1000) / 1000;
  return rest || !text ? `${text}${rest}s` : text;
}

/** A moment of an input of type datetime-local, with its zone; undefined when it is none. */
export function moment(text: string): string | undefined {
  const date = new Date(text);
  return text === "" || Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** The other way round. */
export function momentText(iso: string): string {
  const date = new Date(iso);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

/** What is wrong, by the names of the fields. */
export function problemsOf(form: TaskForm): Partial<Record<keyof TaskForm, "missing" | "duration" | "moment">> {
  const found: ReturnType<typeof problemsOf> = {};
  if (!form.type.trim()) found.type = "missing";
  if (!form.queue.trim()) found.queue = "missing";
  for (const name of ["timeout", "retention", "unique"] as const) {
    if (form[name] && duration(form[name]) === undefined) found[name] = "duration";
  }
  if (form.when === "in" && duration(form.delay) === undefined) found.delay = "duration";
  if (form.when === "at" && moment(form.moment) === undefined) found.moment = "moment";
  if (form.deadline && moment(form.deadline) === undefined) found.deadline = "moment";
  return found;
}

const optional = (text: string) => (text === "" ? undefined : text);
const seconds = (text: string) => (text === "" ? undefined : duration(text));

/** The options that are given, in the words of the API. */
function optionsOf(form: TaskForm) {
  const headers = form.headers.filter((each) => each.name !== "");
  return {
    task_id: optional(form.id),
    max_retry: form.maxRetry === "" ? undefined : Number(form.maxRetry),
    timeout_seconds: seconds(form.timeout),
    deadline: moment(form.deadline),
    unique_for_seconds: seconds(form.unique),
    process_in_seconds: form.when === "in" ? duration(form.delay) : undefined,
    process_at: form.when === "at" ? moment(form.moment) : undefined,
    retention_seconds: seconds(form.retention),
    group: optional(form.group),
    headers: headers.length ? Object.fromEntries(headers.map((each) => [each.name, each.value])) : undefined,
  };
}

/** What is asked of the server. Bytes rather than a value: large numbers and the order of keys stay as written. */
export function bodyOf(form: TaskForm): Schemas["NewTask"] {
  const { bytes } = bytesOf(form.payload);
  return {
    type: form.type.trim(),
    ...optionsOf(form),
    ...(bytes?.length ? { payload_base64: toBase64(bytes) } : {}),
  };
}

/** The name of the file that the payload is; undefined where it is written in the form. */
const fileOf = ({ payload }: TaskForm): string | undefined =>
  payload.form === "file" ? payload.file?.name : undefined;

/** The command that does the same. */
export function commandOf(form: TaskForm): string {
  const options = optionsOf(form);
  const { bytes } = bytesOf(form.payload);
  const text = bytes && decoded(bytes);
  const words = ["asynqpy", "enqueue"];
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined) words.push(name, quoted(String(value)));
  };
  words.push(quoted(form.type.trim() || "TYPE"));
  // A lone - and what begins with @ mean something else to the command.
  const isPlain = text !== undefined && text !== "-" && !text.startsWith("@") && !text.startsWith("-");
  const file = fileOf(form);
  if (bytes?.length) words.push(file !== undefined ? quoted(`@${file}`) : isPlain ? quoted(text) : "-");
  add("--queue", form.queue.trim() || undefined);
  add("--in", options.process_in_seconds === undefined ? undefined : durationText(options.process_in_seconds));
  add("--at", options.process_at);
  add("--max-retry", options.max_retry);
  add("--timeout", options.timeout_seconds === undefined ? undefined : durationText(options.timeout_seconds));
  add("--deadline", options.deadline);
  add("--unique", options.unique_for_seconds === undefined ? undefined : durationText(options.unique_for_seconds));
  add("--retention", options.retention_seconds === undefined ? undefined : durationText(options.retention_seconds));
  add("--group", options.group);
  add("--id", options.task_id);
  for (const [name, value] of Object.entries(options.headers ?? {})) add("--header", `${name}=${value}`);
  const line = words.join(" ");
  return bytes?.length && !isPlain && file === undefined ? `echo ${toBase64(bytes)} | base64 -d | ${line}` : line;
}

const pythonString = (text: string) => JSON.stringify(text);
const WORDS: Readonly<Record<string, string>> = { true: "True", false: "False", null: "None" };

/** A JSON text in Python; undefined when it is none. */
export function pythonOf(json: string): string | undefined {
  const found = pieces(json);
  if (!found) return undefined;
  return found
    .map(({ mark, text }) => {
      if (mark === "string" || mark === "key") return pythonString(JSON.parse(text));
      if (mark === "word") return WORDS[text] ?? text;
      return mark === "sign" && (text === "," || text === ":") ? `${text} ` : text;
    })
    .join("");
}

/** The program that does the same. */
export function programOf(form: TaskForm): string {
  const options = optionsOf(form);
  const { bytes } = bytesOf(form.payload);
  const text = bytes && decoded(bytes);
  const imports = ["from asynqpy import Client, Task"];
  const parts = [pythonString(form.type.trim())];
  if (bytes?.length) {
    const value = form.payload.form === "json" && text !== undefined ? pythonOf(text) : undefined;
    const file = fileOf(form);
    if (file !== undefined) {
      imports.unshift("from pathlib import Path");
      parts.push(`Path(${pythonString(file)}).read_bytes()`);
    } else if (value !== undefined) parts.push(value);
    else if (text !== undefined) parts.push(`${pythonString(text)}.encode()`);
    else {
      imports.unshift("from base64 import b64decode");
      parts.push(`b64decode("${toBase64(bytes)}")`);
    }
  }
  const given: string[] = [];
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined) given.push(`${name}=${value}`);
  };
  const at = (value: string | undefined) => value && `datetime.fromisoformat("${value}")`;
  if (form.queue.trim() !== "default") add("queue", pythonString(form.queue.trim()));
  add("process_in", options.process_in_seconds);
  add("process_at", at(options.process_at));
  add("max_retry", options.max_retry);
  add("timeout", options.timeout_seconds);
  add("deadline", at(options.deadline));
  add("unique_for", options.unique_for_seconds);
  add("retention", options.retention_seconds);
  add("group", options.group && pythonString(options.group));
  add("task_id", options.task_id && pythonString(options.task_id));
  if (options.headers) {
    const inner = Object.entries(options.headers).map(
      ([name, value]) => `${pythonString(name)}: ${pythonString(value)}`,
    );
    add("headers", `{${inner.join(", ")}}`);
  }
  if (options.process_at || options.deadline) imports.unshift("from datetime import datetime");
  const call = [`Task(${parts.join(", ")})`, ...given];
  const one = call.join(", ");
  const inside = one.length <= 80 ? one : `\n${call.map((each) => `        ${each},`).join("\n")}\n    `;
  return `${imports.join("\n")}\n\nwith Client() as client:\n    client.enqueue(${inside})\n`;
}
