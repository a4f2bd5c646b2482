/** One queue: its numbers, and its tasks by state. */
import { Badge, Group, Tabs } from "@mantine/core";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { TaskState } from "~/api/client";
import { Loading } from "~/components/Notice";
import { shortCount } from "~/lib/format";
import { COLOR, isState, STATES } from "~/lib/states";
import { useIsLoaded, useQueue } from "~/live/hooks";
import type { QueueSearch, TaskSearch } from "~/routes";
import { STATE_NAMES } from "~/strings/common";
import { FilterBar } from "../tasks/FilterBar";
import { TaskList } from "../tasks/TaskList";
import { Groups } from "./Groups";
import QueueBanner from "./QueueBanner";

export default function Queue() {
  const { queue: name } = useParams({ from: "/queues/$queue" });
  const { status, ...filters } = useSearch({ from: "/queues/$queue" });
  const navigate = useNavigate({ from: "/queues/$queue" });
  const queue = useQueue(name);
  const isLoaded = useIsLoaded();
  const state: TaskState = status ?? "active";
  const go = (next: QueueSearch) => void navigate({ search: next });
  const search: TaskSearch = {
    ...filters,
    queue: [name],
    state: [state],
  };

  return (
    <>
      <QueueBanner name={name} />
      {!isLoaded && <Loading />}
      {queue && (
        <Tabs
          value={state}
          onChange={(value) => isState(value) && go({ ...filters, group: undefined, status: value })}
          mb="md"
          keepMounted={false}
        >
          <Tabs.List style={{ flexWrap: "nowrap", overflowX: "auto", overflowY: "hidden" }}>
            {STATES.map((each) => (
              <Tabs.Tab key={each} value={each} px="sm" data-count={queue[each]}>
                <Group gap={6} wrap="nowrap">
                  {STATE_NAMES[each]}
                  <Badge
                    size="sm"
                    variant="light"
                    color={queue[each] ? COLOR[each] : "gray"}
                    tt="none"
                    style={{ minWidth: 28, flexShrink: 0 }}
                  >
                    {shortCount(queue[each])}
                  </Badge>
                </Group>
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value={state} pt="md">
            <FilterBar
              search={{ ...search, queue: undefined, state: undefined }}
              onSearch={({ queue: _queue, state: states, ...rest }) => go({ ...rest, status: states?.[0] ?? state })}
              hasPlaces={false}
            />
            {state === "aggregating" && (
              <Groups
                queue={name}
                group={filters.group}
                onGroup={(group) => go({ ...filters, group, status: state })}
              />
            )}
            <TaskList
              search={search}
              isOneQueue
              onClear={() => go({ status: state })}
              onIdPrefix={(start) => go({ ...filters, id: `${start}*`, status: state })}
              onDescending={(descending) => go({ ...filters, descending: descending || undefined, status: state })}
            />
          </Tabs.Panel>
        </Tabs>
      )}
    </>
  );
}
