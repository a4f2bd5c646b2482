import { Badge, Tooltip } from "@mantine/core";
import type { TaskState } from "~/api/client";
import { relative } from "~/lib/format";
import { COLOR } from "~/lib/states";
import { CANCELLING, STATE_HINTS, STATE_NAMES } from "~/strings/common";
import { useNow } from "./Moment";

export function StateBadge({ state, size = "sm" }: { state: TaskState; size?: "xs" | "sm" | "md" | "lg" }) {
  return (
    <Tooltip label={STATE_HINTS[state]}>
      <Badge color={COLOR[state]} variant="light" size={size} tt="none" style={{ flexShrink: 0 }}>
        {STATE_NAMES[state]}
      </Badge>
    </Tooltip>
  );
}

/** Somebody has asked to cancel the attempt that runs; nothing where nobody did. */
export function Cancelling({ at, size = "sm" }: { at: string | null; size?: "xs" | "sm" | "md" }) {
  const now = useNow();
  if (at === null) return null;
  return (
    <Tooltip label={CANCELLING.hint(relative(new Date(at).getTime(), now))} multiline maw={260}>
      <Badge color="yellow" variant="light" size={size} tt="none" style={{ flexShrink: 0 }}>
        {CANCELLING.name}
      </Badge>
    </Tooltip>
  );
}
