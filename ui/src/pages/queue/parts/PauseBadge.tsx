import { Badge, Tooltip } from "@mantine/core";
import { queueText } from "~/strings/queue";

/** Whether a queue hands out its tasks. */
export function PauseBadge({ isPaused, size = "md" }: { isPaused: boolean; size?: "xs" | "md" }) {
  return (
    <Tooltip label={queueText.pausedHint} disabled={!isPaused}>
      <Badge
        variant={isPaused ? "filled" : "light"}
        color={isPaused ? "yellow" : "gray"}
        tt="none"
        size={size}
        autoContrast
      >
        {isPaused ? queueText.paused : queueText.running}
      </Badge>
    </Tooltip>
  );
}
