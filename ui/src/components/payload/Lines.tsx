/** Many lines in a box that scrolls; of very many, only those that are seen are drawn. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useRef } from "react";
import styles from "./payload.module.css";

const FEW = 300;

export interface LinesProps {
  count: number;
  row: (at: number) => ReactNode;
  isWrapped: boolean;
  /** What is in the box, for those who cannot see it. */
  label: string;
}

export function Lines(props: LinesProps) {
  return props.count > FEW ? <ManyLines {...props} /> : <FewLines {...props} />;
}

const classOf = (isWrapped: boolean) => (isWrapped ? `${styles.box} ${styles.wrapped}` : styles.box);

function FewLines({ count, row, isWrapped, label }: LinesProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className={classOf(isWrapped)} aria-label={label} tabIndex={0}>
      {Array.from({ length: count }, (_, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
        <div key={at} className={styles.row}>
          {row(at)}
        </div>
      ))}
    </section>
  );
}

function ManyLines({ count, row, isWrapped, label }: LinesProps) {
  const box = useRef<HTMLElement>(null);
  const lines = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => 20,
    overscan: 20,
  });
  const shown = lines.getVirtualItems();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section ref={box} className={classOf(isWrapped)} aria-label={label} tabIndex={0}>
      <div
        style={{
          paddingTop: shown[0]?.start ?? 0,
          paddingBottom: lines.getTotalSize() - (shown.at(-1)?.end ?? 0),
          width: isWrapped ? undefined : "max-content",
          minWidth: "100%",
        }}
      >
        {shown.map((line) => (
          <div key={line.key} data-index={line.index} ref={lines.measureElement} className={styles.row}>
            {row(line.index)}
          </div>
        ))}
      </div>
    </section>
  );
}
