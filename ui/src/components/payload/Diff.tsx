/** What will change, line by line. */
import { useMemo } from "react";
import { count } from "~/lib/format";
import { task as words } from "~/strings/task";
import { diff, shortened } from "./diff";
import { Lines } from "./Lines";
import styles from "./payload.module.css";

const SIGN = { same: " ", removed: "−", added: "+", skipped: "…" } as const;

export function Diff({ before, after }: { before: string; after: string }) {
  const changes = useMemo(() => shortened(diff(before, after)), [before, after]);
  return (
    <Lines
      count={changes.length}
      isWrapped
      label={words.payload.changes}
      row={(at) => {
        const change = changes[at];
        if (!change) return null;
        const text = change.kind === "skipped" ? words.payload.unchanged(count(Number(change.text))) : change.text;
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
}
