import { Badge, Tooltip } from "@mantine/core";
import type { TaskState } from "~/api/client";
import { COLOR } from "~/lib/states";
import { STATE_HINTS, STATE_NAMES } from "~/strings/common";

export function StateBadge({ state, size = "sm" }: { state: TaskState; size?: "xs" | "sm" | "md" | "lg" }) {
  return (
    <Tooltip label={STATE_HINTS[state]}>
      <Badge color={COLOR[state]} variant="light" size={size} tt="none" style={{ flexShrink: 0 }}>
        {STATE_NAMES[state]}
      </Badge>
    </Tooltip>
  );
}
