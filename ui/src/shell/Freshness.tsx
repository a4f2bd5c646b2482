/** How fresh what is shown is, and the button that holds it still. */
import { Button } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { hinted } from "~/components/hints";
import { useNow } from "~/components/Moment";
import { relative } from "~/lib/format";
import { connection, type LiveStatus } from "~/live/connection";
import { useLive } from "~/live/hooks";
import { shell } from "~/strings/shell";

const COLORS: Readonly<Record<LiveStatus, string>> = {
  connecting: "gray",
  live: "teal",
  polling: "yellow",
  paused: "blue",
  hidden: "gray",
  lost: "red",
};

export function Freshness() {
  const status = useLive((live) => live.status);
  const heardAt = useLive((live) => live.heardAt);
  const now = useNow();
  const isPaused = status === "paused";
  const heard = heardAt ? ` ${shell.lastHeard(relative(Math.min(heardAt, now), now))}.` : "";
  return (
    <Button
      {...hinted(`${shell.statusHints[status]}${heard}`)}
      variant="default"
      h={34}
      px="sm"
      onClick={() => connection.setPaused(!isPaused)}
      aria-label={`${shell.status[status]}. ${isPaused ? shell.resume : shell.pause}`}
      data-status={status}
      leftSection={
        <span
          aria-hidden
          style={{ width: 8, height: 8, borderRadius: 8, background: `var(--mantine-color-${COLORS[status]}-6)` }}
        />
      }
      rightSection={isPaused ? <IconPlayerPlay size={14} /> : <IconPlayerPause size={14} />}
    >
      {shell.status[status]}
    </Button>
  );
}
