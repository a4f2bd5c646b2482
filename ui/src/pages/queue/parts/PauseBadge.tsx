import { Badge } from "@mantine/core";
import { queueText } from "~/strings/queue";

/** Whether a queue hands out its tasks. */
export function PauseBadge({ isPaused, size = "md" }: { isPaused: boolean; size?: "xs" | "md" }) {
  // A title and no tooltip: a long table has many of these.
  return (
    <Badge
      variant={isPaused ? "filled" : "light"}
      color={isPaused ? "yellow" : "gray"}
      tt="none"
      size={size}
      autoContrast
      title={isPaused ? queueText.pausedHint : undefined}
    >
      {isPaused ? queueText.paused : queueText.running}
    </Badge>
  );
}
