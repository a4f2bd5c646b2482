/** Where a payload is written: as JSON, text, hex or Base64, or taken from a file. */
import { Button, FileButton, Group, SegmentedControl, Stack, Text, Textarea } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { count, bytes as size } from "~/lib/format";
import { compactText, prettyText } from "~/lib/json";
import { task as words } from "~/strings/task";
import {
  bytesOf,
  type Draft,
  decoded,
  FORMS,
  type Form,
  isWritable,
  jsonError,
  LARGEST_INDENTED,
  toBase64,
  toHex,
} from "./bytes";
import { FileFacts } from "./FileFacts";

export interface Misfit {
  path: string;
  message: string;
}

export interface PayloadFieldProps {
  draft: Draft;
  onChange: (draft: Draft) => void;
  /** What the server has against it. */
  misfits?: readonly Misfit[];
  /** How many bytes it may have at most. */
  largest?: number;
  rows?: number;
}

/** Whether more is written than the server takes. */
export const isTooLarge = (bytes: Uint8Array | undefined, largest: number | undefined): boolean =>
  bytes !== undefined && largest !== undefined && bytes.length > largest;

/** *bytes* written in *form*; undefined when they cannot be. */
export function written(bytes: Uint8Array, form: Form): Draft | undefined {
  if (form === "hex") return { form, text: toHex(bytes) };
  if (form === "base64") return { form, text: toBase64(bytes) };
  if (form === "file") return { form, text: "" };
  const text = decoded(bytes);
  if (text === undefined) return undefined;
  if (form === "json") return { form, text: text.length > LARGEST_INDENTED ? compactText(text) : prettyText(text) };
  return { form, text };
}

/** How *bytes* are best written. */
export function bestForm(bytes: Uint8Array): Form {
  if (bytes.length === 0) return "json";
  const text = decoded(bytes);
  if (text === undefined) return "hex";
  return jsonError(text) === undefined ? "json" : "text";
}

/** *bytes* as they are best edited: written, or, where they are too many for that, as the file *name*. */
export function draftOf(bytes: Uint8Array, name: string): Draft {
  const form = bestForm(bytes);
  const draft = isWritable(bytes, form) ? written(bytes, form) : undefined;
  return draft ?? { form: "file", text: "", file: { name, bytes } };
}

/** How many rows a field for *text* has: as many as it has lines, within bounds. */
export function rowsOf(text: string, least: number, most: number): number {
  let rows = 1;
  for (let at = text.indexOf("\n"); at >= 0 && rows < most; at = text.indexOf("\n", at + 1)) rows += 1;
  return Math.max(least, rows);
}

/** What the server says is wrong, of the problem that it answered. */
export function misfitsOf(problem: Record<string, unknown>): Misfit[] {
  const errors = Array.isArray(problem.errors) ? problem.errors : [];
  return errors.flatMap((each) =>
    typeof each === "object" && each !== null && "message" in each
      ? [{ path: String((each as { path?: unknown }).path ?? "$"), message: String(each.message) }]
      : [],
  );
}

export function PayloadField({ draft, onChange, misfits = [], largest, rows = 12 }: PayloadFieldProps) {
  const reading = bytesOf(draft);
  const change = (form: Form) => {
    const same = reading.bytes && written(reading.bytes, form);
    onChange(same ?? { form, text: form === "text" ? draft.text : "" });
  };
  const upload = async (file: File | null) => {
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    onChange(draftOf(bytes, file.name));
  };
  const error = misfits.length ? (
    <Stack gap={2} component="span">
      {misfits.map((each) => (
        <span key={each.path + each.message}>
          <span className="mono">{each.path}</span>: {each.message}
        </span>
      ))}
    </Stack>
  ) : isTooLarge(reading.bytes, largest) ? (
    words.payload.tooLarge(count(reading.bytes?.length ?? 0), count(largest ?? 0))
  ) : (
    reading.error
  );
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs">
        <SegmentedControl
          size="xs"
          aria-label={words.payload.form}
          value={draft.form}
          onChange={(value) => change(value as Form)}
          data={FORMS.filter((each) => each !== "file" || draft.file).map((each) => ({
            value: each,
            label: words.payload.forms[each],
            disabled: each !== draft.form && reading.bytes !== undefined && !isWritable(reading.bytes, each),
          }))}
        />
        <Group gap="xs">
          {draft.form === "json" && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              disabled={Boolean(reading.error) || draft.text.length > LARGEST_INDENTED}
              onClick={() => onChange({ ...draft, text: prettyText(draft.text) })}
            >
              {words.payload.indent}
            </Button>
          )}
          <FileButton onChange={(file) => void upload(file)} inputProps={{ "aria-label": words.payload.upload }}>
            {(props) => (
              <Button {...props} size="compact-xs" variant="subtle" color="gray" leftSection={<IconUpload size={12} />}>
                {words.payload.upload}
              </Button>
            )}
          </FileButton>
        </Group>
      </Group>
      {draft.form === "file" ? (
        <FileFacts file={draft.file} error={error} />
      ) : (
        <Textarea
          aria-label={words.payload.names.payload}
          value={draft.text}
          onChange={(event) => onChange({ ...draft, text: event.currentTarget.value })}
          rows={rowsOf(draft.text, rows, Math.max(rows, 24))}
          resize="vertical"
          error={error}
          spellCheck={false}
          autoComplete="off"
          placeholder={draft.form === "json" ? words.payload.placeholder : undefined}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12.5 } }}
        />
      )}
      <Text size="xs" c="dimmed">
        {reading.bytes ? words.payload.stored(size(reading.bytes.length)) : words.payload.notYet}
      </Text>
    </Stack>
  );
}
