/** What will change, line by line; of very many lines the first. */
import { Text } from "@mantine/core";
import { useMemo } from "react";
import { count, bytes as size } from "~/lib/format";
import { task as words } from "~/strings/task";
import type { Comparison } from "./compare";
import { cut, diff, shortened } from "./diff";
import { Lines } from "./Lines";
import styles from "./payload.module.css";

const SIGN = { same: " ", removed: "−", added: "+", skipped: "…", left: "…" } as const;

export function Diff({ before, after, left }: Comparison) {
  const changes = useMemo(() => cut(shortened(diff(before, after))), [before, after]);
  const lines = (
    <Lines
      count={changes.length}
      isWrapped
      label={words.payload.changes}
      row={(at) => {
        const change = changes[at];
        if (!change) return null;
        const many = count(Number(change.text));
        const text =
          change.kind === "skipped"
            ? words.payload.unchanged(many)
            : change.kind === "left"
              ? words.payload.notCompared(many)
              : change.text;
        return (
          <span className={styles[change.kind]} style={{ display: "flex", flex: 1 }}>
            <span className={styles.gutter}>{SIGN[change.kind]}</span>
            <span className={styles.text}>
              {text.length > 5_000 ? `${text.slice(0, 5_000)} ${words.payload.more(count(text.length - 5_000))}` : text}
            </span>
          </span>
        );
      }}
    />
  );
  return (
    <>
      {lines}
      {left.before + left.after > 0 && (
        <Text size="xs" c="dimmed">
          {words.payload.leftBytes(size(left.before), size(left.after))}
        </Text>
      )}
    </>
  );
}
