/** All queues at a glance: sums, what needs attention, sizes, work, and each queue with its numbers. */
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { metaQuery } from "~/api/queries";
import { Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { command } from "~/lib/cli";
import { useIsLoaded, useLive } from "~/live/hooks";
import { overview } from "~/strings/overview";
import { Attention } from "./Attention";
import { Charts } from "./Charts";
import { QueueTable } from "./QueueTable";
import { Totals } from "./Totals";
import { Welcome } from "./Welcome";

export default function Overview() {
  const isLoaded = useIsLoaded();
  const isEmpty = useLive((live) => live.isLoaded && Object.keys(live.queues).length === 0);
  const { data: meta } = useQuery(metaQuery);
  const mayEnqueue = meta?.user.permissions.includes("enqueue") === true && !meta.read_only;
  return (
    <>
      <PageHeader
        title={overview.title}
        cli={[
          command("stats"),
          command("queue", "ls", "--long", "--watch", 2),
          command("queue", "pause", "QUEUE"),
          command("queue", "rm", "QUEUE"),
          command("dash"),
        ]}
        http={["GET /api/v2/queues", "GET /api/v2/history?days=7", "GET /api/v2/events"]}
        actions={
          mayEnqueue && (
            <Button
              size="sm"
              variant="default"
              leftSection={<IconPlus size={16} />}
              renderRoot={(props) => <Link to="/new-task" {...props} />}
            >
              {overview.newTask}
            </Button>
          )
        }
      />
      {!isLoaded ? (
        <Loading lines={10} />
      ) : isEmpty ? (
        <Welcome mayEnqueue={mayEnqueue} />
      ) : (
        <>
          <Totals />
          <Attention />
          <Charts />
          <QueueTable />
        </>
      )}
    </>
  );
}
