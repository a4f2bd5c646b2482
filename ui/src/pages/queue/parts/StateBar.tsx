/** One bar in the colours of the states. */
import type { Queue, TaskState } from "~/api/client";
import { COLOR, STATES } from "~/lib/states";
import { queueText } from "~/strings/queue";

export type StateCounts = Readonly<Record<TaskState, number>>;

/** Light enough to be seen on dark ground, dark enough on light. */
export const stateColor = (state: TaskState): string =>
  `var(--mantine-color-${COLOR[state]}-${state === "completed" ? 7 : 5})`;

export interface BarPart {
  key: string;
  color: string;
  value: number;
}

/** Parts side by side; *share* of the width is filled. What there is is never invisible. */
export function Bar({ parts, share = 1, height = 8 }: { parts: BarPart[]; share?: number; height?: number }) {
  const shown = parts.filter((part) => part.value > 0);
  return (
    <span
      aria-hidden
      style={{
        display: "flex",
        width: "100%",
        height,
        borderRadius: 3,
        overflow: "hidden",
        background: "var(--mantine-color-default-hover)",
      }}
    >
      <span style={{ display: "flex", gap: 1, width: `${Math.max(share * 100, shown.length ? 1 : 0)}%` }}>
        {shown.map((part) => (
          <span key={part.key} style={{ flex: `${part.value} 1 0`, minWidth: 2, background: part.color }} />
        ))}
      </span>
    </span>
  );
}

export function StateBar({ counts, share, height }: { counts: StateCounts; share?: number; height?: number }) {
  const parts = STATES.map((state) => ({ key: state, color: stateColor(state), value: counts[state] }));
  return <Bar parts={parts} share={share} height={height} />;
}

/** "3 pending, 1 retry". */
export const stateText = (queue: StateCounts): string =>
  queueText.states(Object.fromEntries(STATES.map((state) => [state, queue[state]])));

/** What share of the attempts of today failed; undefined when there were none. */
export const errorRate = (queue: Pick<Queue, "failed_today" | "processed_today">): number | undefined =>
  queue.processed_today > 0 ? queue.failed_today / queue.processed_today : undefined;
