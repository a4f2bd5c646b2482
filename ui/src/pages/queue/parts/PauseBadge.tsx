import { Badge, Tooltip } from "@mantine/core";
import { queueText } from "~/strings/queue";

/** Whether a queue hands out its tasks. */
export function PauseBadge({ isPaused }: { isPaused: boolean }) {
  return (
    <Tooltip label={queueText.pausedHint} disabled={!isPaused}>
      <Badge variant="light" color={isPaused ? "yellow" : "gray"} tt="none" autoContrast>
        {isPaused ? queueText.paused : queueText.running}
      </Badge>
    </Tooltip>
  );
}
