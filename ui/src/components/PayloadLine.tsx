/** A payload or result in one line: JSON in colours, never the whole of a large one. */
import { Text } from "@mantine/core";
import { memo } from "react";
import type { Content } from "~/api/client";
import { bytes } from "~/lib/format";
import { type Piece, pieces } from "~/lib/json";
import { visibleText } from "~/lib/visible";
import { tasks as words } from "~/strings/tasks";

const LONGEST = 160;

const COLORS: Readonly<Record<Piece["mark"], string | undefined>> = {
  key: undefined,
  string: "var(--asynqpy-json-string)",
  number: "var(--asynqpy-json-number)",
  word: "var(--asynqpy-json-word)",
  sign: "var(--mantine-color-dimmed)",
  space: undefined,
};

export const PayloadLine = memo(function PayloadLine({ content }: { content: Content }) {
  if (content.kind === "empty") return <Dim>{words.empty}</Dim>;
  if (content.kind === "hidden") return <Dim>{words.hidden}</Dim>;
  if (content.kind === "binary") return <Dim>{bytes(content.size)}</Dim>;
  const isLong = content.text.length > LONGEST;
  const text = isLong ? content.text.slice(0, LONGEST) : content.text;
  // A cut text is no JSON any more, so it is shown as it is.
  const found = content.kind === "json" && !isLong && !content.is_cut ? pieces(text) : undefined;
  return (
    <Text span size="xs" className="mono one-line" title={isLong ? undefined : visibleText(content.text)}>
      {found
        ? found.map((piece, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text never move
            <span key={at} style={{ color: COLORS[piece.mark] }}>
              {piece.mark === "sign" && (piece.text === "," || piece.text === ":")
                ? `${piece.text} `
                : visibleText(piece.text)}
            </span>
          ))
        : visibleText(text.replace(/\s+/g, " "))}
      {(isLong || content.is_cut) && "…"}
    </Text>
  );
});

function Dim({ children }: { children: string }) {
  return (
    <Text span size="xs" c="dimmed">
      {children}
    </Text>
  );
}
