import { Badge } from "@mantine/core";
import type { TaskState } from "~/api/client";
import { relative } from "~/lib/format";
import { COLOR } from "~/lib/states";
import { CANCELLING, STATE_HINTS, STATE_NAMES } from "~/strings/common";
import { hinted } from "./hints";
import { useNow } from "./Moment";

export function StateBadge({ state, size = "sm" }: { state: TaskState; size?: "xs" | "sm" | "md" | "lg" }) {
  return (
    <Badge
      {...hinted(STATE_HINTS[state])}
      color={COLOR[state]}
      variant="light"
      size={size}
      tt="none"
      style={{ flexShrink: 0 }}
    >
      {STATE_NAMES[state]}
    </Badge>
  );
}

/** Somebody has asked to cancel the attempt that runs; nothing where nobody did. */
export function Cancelling({ at, size = "sm" }: { at: string | null; size?: "xs" | "sm" | "md" }) {
  const now = useNow();
  if (at === null) return null;
  return (
    <Badge
      {...hinted(CANCELLING.hint(relative(new Date(at).getTime(), now)))}
      color="yellow"
      variant="light"
      size={size}
      tt="none"
      style={{ flexShrink: 0 }}
    >
      {CANCELLING.name}
    </Badge>
  );
}
