/** Bytes of a task for people: JSON that folds, text or hex; what was decoded, how large it is, and whether it is whole. */
import { ActionIcon, Alert, Badge, Button, Group, SegmentedControl, Stack, Text, VisuallyHidden } from "@mantine/core";
import { IconDownload, IconEyeOff, IconFold, IconTextWrap } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo, useState } from "react";
import { address, answer, api, type Content } from "~/api/client";
import { CopyButton } from "~/components/CopyButton";
import { hinted } from "~/components/hints";
import { Failed } from "~/components/Notice";
import { count, bytes as size } from "~/lib/format";
import { fromBase64 } from "~/lib/hex";
import { type Piece, prettyText } from "~/lib/json";
import { visibleText } from "~/lib/visible";
import { task as words } from "~/strings/task";
import { decoded, inflate, toHex } from "./bytes";
import { Lines } from "./Lines";
import { hexLine, jsonLines, textLines, visible } from "./lines";
import styles from "./payload.module.css";

/** Texts longer than this are laid out as JSON only when somebody wants it. */
const LONG = 2_000_000;
const LONGEST_PIECE = 2_000;

type View = "json" | "text" | "hex";
export type What = "payload" | "result";

/** The bytes as they are stored. */
export async function rawBytes(what: What, queue: string, taskId: string, signal?: AbortSignal): Promise<Uint8Array> {
  const path = { queue, task_id: taskId };
  const options = { params: { path }, parseAs: "arrayBuffer" as const, signal };
  const found = await (what === "payload"
    ? answer(api.GET("/api/v2/queues/{queue}/tasks/{task_id}/payload", options))
    : answer(api.GET("/api/v2/queues/{queue}/tasks/{task_id}/result", options)));
  return new Uint8Array(found as unknown as ArrayBuffer);
}

export interface PayloadViewerProps {
  content: Content;
  what: What;
  queue: string;
  taskId: string;
  /** Whether something in it is hidden from whoever asks, so that the bytes cannot be had. */
  isHidden: boolean;
}

export function PayloadViewer({ content, what, queue, taskId, isHidden }: PayloadViewerProps) {
  const [chosen, setChosen] = useState<View>();
  const [isWrapped, setIsWrapped] = useState(true);
  const [isWhole, setIsWhole] = useState(false);
  const name = words.payload.names[what];

  const views: View[] = [];
  if (content.kind === "json") views.push("json");
  if (content.kind !== "binary") views.push("text");
  if (!isHidden) views.push("hex");
  const isLong = content.text.length > LONG || (content.is_cut && !isWhole);
  const first = views.includes("json") && isLong ? "text" : (views[0] ?? "text");
  const view = chosen && views.includes(chosen) ? chosen : first;

  // Stored bytes are needed where they are not what is shown, and where what is shown is not all.
  const local = useMemo(() => localBytes(content), [content]);
  const needsRaw = !isHidden && (isWhole || (view === "hex" && local === undefined));
  const raw = useQuery({
    queryKey: ["task-bytes", queue, taskId, what, content.size, content.text.slice(0, 1_000)],
    queryFn: ({ signal }) => rawBytes(what, queue, taskId, signal),
    enabled: needsRaw,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  const whole = useQuery({
    queryKey: ["task-text", queue, taskId, what, content.size, content.text.slice(0, 1_000)],
    queryFn: async () => ({ text: await wholeText(raw.data ?? new Uint8Array(), content) }),
    enabled: isWhole && raw.data !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });

  const text = (isWhole && whole.data?.text) || content.text;
  const bytes = raw.data ?? local;
  const copied = useMemo(
    () => (view === "hex" && bytes ? toHex(bytes) : view === "json" && !isLong ? prettyText(text) : text),
    [view, bytes, isLong, text],
  );

  if (content.kind === "empty") return <Text c="dimmed">{words.payload.empty}</Text>;
  if (content.kind === "hidden") {
    return (
      <Alert icon={<IconEyeOff />} color="gray" title={words.payload.hiddenTitle(name)}>
        {words.payload.hiddenText} {words.payload.stored(size(content.size))}
      </Alert>
    );
  }
  const isCut = content.is_cut && !(isWhole && (whole.data?.text !== undefined || view === "hex"));

  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between">
        <Group gap="xs">
          {views.length > 1 && (
            <SegmentedControl
              size="xs"
              aria-label={words.payload.view(name)}
              value={view}
              onChange={(value) => setChosen(value as View)}
              data={views.map((each) => ({ value: each, label: words.payload.views[each] }))}
            />
          )}
          <Text size="xs" c="dimmed">
            {size(content.size)}
          </Text>
          {content.encodings.map((encoding) => (
            <Badge
              key={encoding}
              {...hinted(words.payload.decodedHint(encoding))}
              variant="light"
              color="gray"
              size="sm"
              tt="none"
            >
              {encoding}
            </Badge>
          ))}
        </Group>
        <Group gap={4}>
          <ActionIcon
            {...hinted(words.payload.wrap)}
            variant={isWrapped ? "light" : "subtle"}
            color="gray"
            size="sm"
            aria-label={words.payload.wrap}
            aria-pressed={isWrapped}
            onClick={() => setIsWrapped(!isWrapped)}
          >
            <IconTextWrap size={14} />
          </ActionIcon>
          <CopyButton value={copied} label={name.toLowerCase()} />
          {!isHidden && (
            <ActionIcon
              {...hinted(words.payload.download(name.toLowerCase()))}
              component="a"
              href={
                what === "payload"
                  ? address`/api/v2/queues/${queue}/tasks/${taskId}/payload`
                  : address`/api/v2/queues/${queue}/tasks/${taskId}/result`
              }
              download={`${taskId}-${what}.${content.kind === "json" && !content.encodings.length ? "json" : "bin"}`}
              variant="subtle"
              color="gray"
              size="sm"
              aria-label={words.payload.download(name.toLowerCase())}
            >
              <IconDownload size={14} />
            </ActionIcon>
          )}
        </Group>
      </Group>
      {isHidden && (
        <Text size="xs" c="dimmed">
          {words.payload.partlyHidden}
        </Text>
      )}
      {isCut && (
        <Alert color="yellow" p="xs">
          <Group gap="xs" justify="space-between">
            <Text size="sm">{words.payload.cut(count(content.text.length), size(content.size))}</Text>
            {!isHidden && !isWhole && (
              <Button size="compact-xs" variant="light" onClick={() => setIsWhole(true)}>
                {words.payload.loadWhole}
              </Button>
            )}
          </Group>
          {isWhole && whole.data && <Text size="sm">{words.payload.wholeOnlyHex}</Text>}
        </Alert>
      )}
      {needsRaw && raw.error && <Failed error={raw.error} again={() => void raw.refetch()} />}
      {view === "hex" && bytes ? (
        <Lines
          count={Math.ceil(bytes.length / 16)}
          row={(at) => <Plain text={hexLine(bytes, at)} />}
          isWrapped={false}
          label={name}
        />
      ) : view === "hex" ? (
        <Text size="sm" c="dimmed">
          {words.payload.loading}
        </Text>
      ) : view === "json" ? (
        <Json text={text} isWrapped={isWrapped} label={name} />
      ) : (
        <Raw text={text} isWrapped={isWrapped} label={name} />
      )}
    </Stack>
  );
}

/** The stored bytes, where what is shown tells them. */
function localBytes(content: Content): Uint8Array | undefined {
  if (content.is_cut || content.encodings.length > 0) return undefined;
  return content.kind === "binary" ? fromBase64(content.text) : new TextEncoder().encode(content.text);
}

/** All of the text, of which *content* has a part; undefined where only the server can read it. */
async function wholeText(raw: Uint8Array, content: Content): Promise<string | undefined> {
  let bytes: Uint8Array | undefined = raw;
  for (const encoding of content.encodings) {
    bytes = bytes && (await inflate(bytes, encoding));
  }
  return bytes && decoded(bytes);
}

function Plain({ text }: { text: string }) {
  return (
    <>
      <span className={styles.gutter} />
      <span className={styles.text}>{visibleText(text)}</span>
    </>
  );
}

function Raw({ text, isWrapped, label }: { text: string; isWrapped: boolean; label: string }) {
  const lines = useMemo(() => textLines(text), [text]);
  return (
    <Lines count={lines.length} row={(at) => <Plain text={lines[at] ?? ""} />} isWrapped={isWrapped} label={label} />
  );
}

function Json({ text, isWrapped, label }: { text: string; isWrapped: boolean; label: string }) {
  const lines = useMemo(() => jsonLines(text), [text]);
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set());
  const shown = useMemo(() => (lines ? visible(lines, folded) : []), [lines, folded]);
  if (!lines) return <Raw text={text} isWrapped={isWrapped} label={label} />;
  const openers = lines.flatMap((line, at) => (line.end !== undefined && at > 0 ? [at] : []));
  const toggle = (at: number) => {
    const next = new Set(folded);
    if (!next.delete(at)) next.add(at);
    setFolded(next);
  };
  const row = (index: number): ReactNode => {
    const at = shown[index] ?? 0;
    const line = lines[at];
    if (!line) return null;
    const isFolded = line.end !== undefined && folded.has(at);
    const closing = isFolded ? lines[line.end ?? at]?.pieces : undefined;
    return (
      <>
        <span className={styles.gutter}>
          {line.end !== undefined && (
            <button type="button" className={styles.fold} aria-expanded={!isFolded} onClick={() => toggle(at)}>
              <span aria-hidden="true">{isFolded ? "▸" : "▾"}</span>
              <VisuallyHidden>{isFolded ? words.payload.unfold : words.payload.fold}</VisuallyHidden>
            </button>
          )}
        </span>
        <span className={styles.text} style={{ paddingLeft: `${line.depth * 2}ch` }}>
          <Pieces pieces={line.pieces} />
          {isFolded && (
            <>
              <button type="button" className={styles.more} onClick={() => toggle(at)}>
                {words.payload.folded((line.end ?? at) - at - 1)}
              </button>
              <Pieces pieces={closing ?? []} />
            </>
          )}
        </span>
      </>
    );
  };
  return (
    <Stack gap={4}>
      <Lines count={shown.length} row={row} isWrapped={isWrapped} label={label} />
      {openers.length > 3 && (
        <Group gap="xs">
          <Button
            size="compact-xs"
            variant="subtle"
            color="gray"
            leftSection={<IconFold size={12} />}
            onClick={() => setFolded(folded.size ? new Set() : new Set(openers))}
          >
            {folded.size ? words.payload.unfoldAll : words.payload.foldAll}
          </Button>
          <Text size="xs" c="dimmed">
            {words.payload.lines(lines.length)}
          </Text>
        </Group>
      )}
    </Stack>
  );
}

function Pieces({ pieces }: { pieces: readonly Piece[] }) {
  return pieces.map((piece, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no other name
    <span key={at} className={styles[piece.mark]}>
      {piece.text.length > LONGEST_PIECE ? <Long text={piece.text} /> : visibleText(piece.text)}
    </span>
  ));
}

function Long({ text }: { text: string }) {
  const [shown, setShown] = useState(LONGEST_PIECE);
  if (shown >= text.length) return visibleText(text);
  return (
    <>
      {visibleText(text.slice(0, shown))}
      <button type="button" className={styles.more} onClick={() => setShown(shown * 20)}>
        {words.payload.more(count(text.length - shown))}
      </button>
    </>
  );
}
