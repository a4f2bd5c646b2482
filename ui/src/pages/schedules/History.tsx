/** What one periodic task has enqueued, from the side. */
import { Alert, Button, Code, Drawer, Group, Stack, Table, Text } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { answer, api, type SchedulerEntry } from "~/api/client";
import { CopyButton } from "~/components/CopyButton";
import { DataTable } from "~/components/DataTable";
import { TextLink } from "~/components/links";
import { Moment } from "~/components/Moment";
import { Failed, Loading } from "~/components/Notice";
import { count } from "~/lib/format";
import { prettyText } from "~/lib/json";
import { useIsLoaded, useOnChange } from "~/live/hooks";
import { schedules as words } from "~/strings/schedules";
import { nextRuns } from "./entries";

export function History({ id, entry, onClose }: { id?: string; entry?: SchedulerEntry; onClose: () => void }) {
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title={entry ? words.historyOf(entry.type) : words.history}
      closeButtonProps={{ "aria-label": words.drawer.close }}
    >
      {id !== undefined && <Events id={id} entry={entry} />}
    </Drawer>
  );
}

function Events({ id, entry }: { id: string; entry?: SchedulerEntry }) {
  const isLoaded = useIsLoaded();
  const found = useInfiniteQuery({
    queryKey: ["schedule events", id],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET("/api/v2/schedulers/{entry_id}/events", {
          params: { path: { entry_id: id }, query: { limit: 50, cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  useOnChange(entry?.previous_enqueue_at, () => void found.refetch());
  const events = found.data?.pages.flatMap((page) => page.items) ?? [];
  const runs = entry ? nextRuns(entry) : [];
  return (
    <Stack gap="md">
      {entry ? (
        <Stack gap="xs">
          <Line title={words.drawer.id} text={entry.id} />
          <Line title={words.drawer.scheduler} text={entry.scheduler} />
          {entry.payload.text && (
            <div>
              <Text size="xs" c="dimmed" mb={2}>
                {words.drawer.payload}
              </Text>
              <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                {entry.payload.kind === "json" ? prettyText(entry.payload.text) : entry.payload.text}
              </Code>
            </div>
          )}
          {runs.length > 0 && (
            <div>
              <Text size="xs" c="dimmed">
                {words.nextRuns}
              </Text>
              <Text size="sm" component="div">
                {runs.map((at, i) => (
                  <span key={at}>
                    {i > 0 && ", "}
                    <Moment at={at} />
                  </span>
                ))}
              </Text>
            </div>
          )}
        </Stack>
      ) : (
        isLoaded && (
          <Alert color="yellow">
            <Text size="sm">{words.drawer.gone}</Text>
          </Alert>
        )
      )}
      {found.isError ? (
        <Failed error={found.error} again={() => void found.refetch()} />
      ) : found.isPending ? (
        <Loading lines={4} />
      ) : events.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.drawer.none}
        </Text>
      ) : (
        <>
          <Text size="xs" c="dimmed">
            {words.drawer.count(count(found.data.pages[0]?.total ?? events.length))}. {words.drawer.kept}
          </Text>
          <DataTable
            label={words.history}
            minWidth={320}
            columns={[
              { key: "at", text: words.drawer.enqueued },
              { key: "task", text: words.drawer.task },
            ]}
          >
            {events.map((event) => (
              <Table.Tr key={`${event.task_id} ${event.enqueued_at}`}>
                <Table.Td>
                  <Moment at={event.enqueued_at} />
                </Table.Td>
                <Table.Td className="mono" style={{ overflowWrap: "anywhere" }}>
                  {entry ? (
                    <TextLink
                      to="/queues/$queue/tasks/$taskId"
                      params={{ queue: entry.queue, taskId: event.task_id }}
                      size="sm"
                    >
                      {event.task_id}
                    </TextLink>
                  ) : (
                    <TextLink to="/tasks" search={{ id: event.task_id }} size="sm">
                      {event.task_id}
                    </TextLink>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </DataTable>
          {found.hasNextPage && (
            <Button
              size="xs"
              variant="default"
              loading={found.isFetchingNextPage}
              onClick={() => void found.fetchNextPage()}
            >
              {words.drawer.more}
            </Button>
          )}
        </>
      )}
    </Stack>
  );
}

function Line({ title, text }: { title: string; text: string }) {
  return (
    <Group gap={6} wrap="nowrap" align="flex-start">
      <Text size="xs" c="dimmed" w={70} style={{ flexShrink: 0 }} mt={2}>
        {title}
      </Text>
      <Text size="sm" className="mono" style={{ overflowWrap: "anywhere" }}>
        {text}
      </Text>
      <CopyButton value={text} label={title} />
    </Group>
  );
}
