/** A page of tasks: of one state of a queue, or whatever a search finds. Follows what happens, keeps what is selected. */
import { ActionIcon, Alert, Button, Checkbox, Group, Menu, Paper, Table, Text } from "@mantine/core";
import { IconArrowsSort, IconChevronLeft, IconChevronRight, IconChevronsLeft, IconDownload } from "@tabler/icons-react";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import { type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import { ApiError, answer, api, type Task } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { BulkDialog, type BulkRequest } from "~/components/BulkDialog";
import { CopyButton } from "~/components/CopyButton";
import { hinted } from "~/components/hints";
import { Failed, Loading } from "~/components/Notice";
import { PayloadLine } from "~/components/PayloadLine";
import { Select } from "~/components/selects";
import { downloadLines } from "~/lib/download";
import { count } from "~/lib/format";
import { say } from "~/lib/say";
import { changeSettings, type Settings, useSettings } from "~/lib/settings";
import { useIsLoaded, useLive, useOnChange } from "~/live/hooks";
import type { TaskSearch } from "~/routes";
import { VERBS, tasks as words } from "~/strings/tasks";
import { columnsOf, type Running } from "./columns";
import { Coverage, Nothing } from "./Outcome";
import { RowActions } from "./RowActions";
import { allowedForAll, BULK, filterOf, isFiltered, queryOf, signOf, totalOf, withoutPlace } from "./scope";
import { useAct } from "./useAct";

const PAGE_SIZES: readonly Settings["pageSize"][] = [10, 20, 50, 100, 200];

export interface TaskListProps {
  search: TaskSearch;
  /** Whether all are of one queue, so that its name need not be shown. */
  isOneQueue?: boolean;
  /** Takes away every filter. */
  onClear?: () => void;
  onDescending: (descending: boolean) => void;
  /** Looks for ids that begin with that. */
  onIdPrefix?: (start: string) => void;
}

/** What the pages before have shown and looked at, and where this one goes on. */
export interface Turned {
  cursor: string;
  shown: number;
  scanned: number;
  /** As the first page told them: later pages know only what is left. */
  total: number | null;
  searched: number;
}

declare module "@tanstack/react-router" {
  interface HistoryState {
    /** The pages of a list before this one; the browser keeps them, while a link from elsewhere has none. */
    trail?: readonly Turned[];
  }
}

/** Pages that one can turn back by one. */
const LONGEST_TRAIL = 100;

/** How often a list is read anew, milliseconds: a search reads through thousands of tasks each time. */
const EVERY_MS = { list: 1_000, search: 10_000 } as const;

export function TaskList({ search: given, isOneQueue = false, onClear, onDescending, onIdPrefix }: TaskListProps) {
  const { cursor, after } = given;
  const search = useMemo(() => withoutPlace(given), [given]);
  const { pageSize, showPayloads, density } = useSettings();
  const client = useQueryClient();
  const navigate = useNavigate();
  const act = useAct();
  const meta = useQuery(metaQuery).data;
  const isLoaded = useIsLoaded();
  const place = JSON.stringify([search, pageSize]);
  const kept = useLocation({ select: (location) => location.state.trail });
  const trail = cursor !== undefined && kept?.at(-1)?.cursor === cursor ? kept : [];
  const turnTo = (pages: readonly Turned[], replace = false) => {
    const page = pages.at(-1);
    void navigate({
      to: ".",
      search: (now) => ({ ...now, cursor: page?.cursor, after: page?.shown || undefined }),
      state: (now) => ({ ...now, trail: pages.slice(-LONGEST_TRAIL) }),
      resetScroll: false,
      replace,
    });
  };
  const [selected, setSelected] = useState<ReadonlyMap<string, Task>>(new Map());
  const [bulk, setBulk] = useState<BulkRequest>();
  const [isMenuOpen, setIsMenuOpen] = useState(false);
  const lastClicked = useRef(0);
  const [seenPlace, setSeenPlace] = useState(place);
  if (place !== seenPlace) {
    setSeenPlace(place);
    setSelected(new Map());
  }

  const before = trail.at(-1);
  const key = ["tasks", search, pageSize, cursor ?? ""];
  const { data, error, refetch, isPlaceholderData } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v2/tasks", {
          params: {
            query: { ...queryOf(search), limit: pageSize, cursor },
          },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    refetchOnMount: "always",
  });

  const counters = useLive((live) => live.queues);
  const sign = useMemo(() => signOf(counters, search), [counters, search]);
  const isBusy = isMenuOpen || bulk !== undefined;
  const isStale = useRef(false);
  const refresh = () => void client.invalidateQueries({ queryKey: key, exact: true });
  useOnChange(
    sign,
    () => {
      if (isBusy) isStale.current = true;
      else refresh();
    },
    isFiltered(search) ? EVERY_MS.search : EVERY_MS.list,
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: what changed behind a menu is read when it closes
  useEffect(() => {
    if (!isBusy && isStale.current) {
      isStale.current = false;
      refresh();
    }
  }, [isBusy]);

  const servers = useLive((live) => live.servers);
  const running = useMemo<Running>(
    () =>
      Object.fromEntries(
        Object.values(servers).flatMap((server) =>
          server.workers.map((each) => [`${each.queue}/${each.task_id}`, each]),
        ),
      ),
    [servers],
  );

  const items = data?.items ?? [];
  // A task that is not there any more is not selected any more.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was read anew matters
  useEffect(() => {
    if (!data || isPlaceholderData) return;
    const there = new Map(data.items.map((task) => [nameOf(task), task]));
    setSelected((chosen) => {
      const after = new Map([...chosen.keys()].map((name) => [name, there.get(name)] as const).filter(isThere));
      return after.size === chosen.size && chosen.size === 0 ? chosen : after;
    });
  }, [data]);

  // The cursor is none any more, or all that was here has moved on.
  const isLost =
    cursor !== undefined &&
    ((error instanceof ApiError && error.status === 422) ||
      (!isPlaceholderData && !isFiltered(search) && data?.items.length === 0 && data.next_cursor === null));
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each page that is lost
  useEffect(() => {
    if (!isLost) return;
    say.note(words.page.lost);
    turnTo([], true);
  }, [isLost, cursor]);

  if (isLost) return <Loading lines={8} />;
  if (error && !data) return <Failed error={error} again={() => void refetch()} />;
  if (!data || (!isLoaded && items.length === 0 && isPlaceholderData)) return <Loading lines={8} />;

  const states = search.state;
  const columns = columnsOf(states);
  const permitted = BULK.filter((action) => [...selected.values()].some((task) => task.actions.includes(action)));
  const canSelect = meta !== undefined && !meta.read_only && meta.user.permissions.length > 0;
  const mine: readonly string[] = meta?.user.permissions ?? [];
  const forAll = allowedForAll(search, meta?.actions, canSelect).filter((action) => mine.includes(action));
  const from = (before?.shown ?? (cursor === undefined ? 0 : (after ?? 0))) + 1;
  const total = isFiltered(search) ? null : (totalOf(counters, search) ?? data.total ?? before?.total ?? null);
  const coverage = {
    scanned: (before?.scanned ?? 0) + data.coverage.scanned,
    total: before?.searched ?? data.coverage.total,
    is_complete: data.coverage.is_complete,
  };
  const goOn = () => {
    if (data.next_cursor === null) return;
    turnTo([
      ...trail,
      {
        cursor: data.next_cursor,
        shown: from - 1 + items.length,
        scanned: coverage.scanned,
        total: data.total ?? before?.total ?? null,
        searched: coverage.total,
      },
    ]);
  };
  // The budget has ended the search, not the page.
  const isCutShort = data.next_cursor !== null && items.length < pageSize;

  const toggle = (at: number, event: { shiftKey: boolean }) => {
    const next = new Map(selected);
    const [low, high] = event.shiftKey
      ? [Math.min(at, lastClicked.current), Math.max(at, lastClicked.current)]
      : [at, at];
    const isOn = !selected.has(nameOf(items[at] as Task));
    for (const task of items.slice(low, high + 1)) {
      if (isOn) next.set(nameOf(task), task);
      else next.delete(nameOf(task));
    }
    lastClicked.current = at;
    setSelected(next);
  };
  const isAll = items.length > 0 && items.every((task) => selected.has(nameOf(task)));

  const open = (event: MouseEvent, task: Task) => {
    if ((event.target as Element).closest("a, button, input, label, [role=menu]")) return;
    if (window.getSelection()?.toString()) return;
    void navigate({ to: "/queues/$queue/tasks/$taskId", params: { queue: task.queue, taskId: task.id } });
  };

  return (
    <>
      {data.missing_queues.length > 0 && (
        <Alert color="yellow" p="xs" mb="sm" role="status">
          {words.goneQueues(data.missing_queues.join(", "))}
        </Alert>
      )}
      {error && <Failed error={error} again={() => void refetch()} />}
      <Group justify="space-between" mb="xs" gap="xs" mih={36}>
        {selected.size > 0 ? (
          <Group gap="xs" role="toolbar" aria-label={words.bulk.selected(count(selected.size))}>
            <Text size="sm" fw={600}>
              {words.bulk.selected(count(selected.size))}
            </Text>
            {permitted.map((action) => (
              <Button
                key={action}
                size="compact-sm"
                variant="light"
                color={action === "delete" ? "red" : undefined}
                onClick={() =>
                  setBulk({
                    action,
                    tasks: [...selected.values()]
                      .filter((task) => task.actions.includes(action))
                      .map(({ queue, id }) => ({ queue, id })),
                  })
                }
              >
                {VERBS[action]}
              </Button>
            ))}
            <Button size="compact-sm" variant="subtle" color="gray" onClick={() => setSelected(new Map())}>
              {words.bulk.clear}
            </Button>
          </Group>
        ) : (
          <Group gap="xs">
            {forAll.length > 0 && items.length > 0 && (
              <Menu position="bottom-start" onChange={setIsMenuOpen}>
                <Menu.Target>
                  <Button size="compact-sm" variant="default">
                    {words.bulk.all(total === null ? null : count(total), isFiltered(search))} …
                  </Button>
                </Menu.Target>
                <Menu.Dropdown>
                  {forAll.map((action) => (
                    <Menu.Item
                      key={action}
                      color={action === "delete" ? "red" : undefined}
                      onClick={() => setBulk({ action, filter: filterOf(search) })}
                    >
                      {words.bulk.allOf(action, total === null ? null : count(total))}
                    </Menu.Item>
                  ))}
                </Menu.Dropdown>
              </Menu>
            )}
            <Coverage
              coverage={coverage}
              isShown={isFiltered(search) && coverage.total > 0}
              onMore={isCutShort && items.length > 0 ? goOn : undefined}
            />
          </Group>
        )}
        <Group gap="xs">
          <ActionIcon
            {...hinted(search.descending ? words.page.newestFirst : words.page.oldestFirst)}
            variant="default"
            aria-label={search.descending ? words.page.newestFirst : words.page.oldestFirst}
            aria-pressed={search.descending === true}
            onClick={() => onDescending(!search.descending)}
          >
            <IconArrowsSort size={16} />
          </ActionIcon>
          <ActionIcon
            {...hinted(words.page.export)}
            variant="default"
            aria-label={words.page.export}
            disabled={items.length === 0}
            onClick={() => downloadLines("tasks.jsonl", items)}
          >
            <IconDownload size={16} />
          </ActionIcon>
        </Group>
      </Group>
      {items.length === 0 ? (
        <Nothing
          search={search}
          isPartly={data.next_cursor !== null}
          onMore={goOn}
          onClear={onClear}
          onIdPrefix={onIdPrefix}
        />
      ) : (
        <Paper withBorder style={{ opacity: isPlaceholderData ? 0.6 : 1 }}>
          <Table.ScrollContainer
            minWidth={420 + columns.reduce((sum, column) => sum + column.width, isOneQueue ? 0 : 120)}
          >
            <Table
              highlightOnHover
              verticalSpacing={density === "compact" ? 4 : 8}
              layout="fixed"
              aria-label={words.title}
              data-testid="tasks"
            >
              <Table.Thead>
                <Table.Tr>
                  {canSelect && (
                    <Table.Th w={42}>
                      <Checkbox
                        size="xs"
                        aria-label={words.selectPage}
                        checked={isAll}
                        indeterminate={!isAll && selected.size > 0}
                        onChange={() =>
                          setSelected(isAll ? new Map() : new Map(items.map((task) => [nameOf(task), task])))
                        }
                      />
                    </Table.Th>
                  )}
                  <Table.Th>{words.columns.task}</Table.Th>
                  {!isOneQueue && <Table.Th w={120}>{words.columns.queue}</Table.Th>}
                  {showPayloads && <Table.Th>{words.columns.payload}</Table.Th>}
                  {columns.map((column) => (
                    <Table.Th key={column.name} w={column.width}>
                      {column.name}
                    </Table.Th>
                  ))}
                  <Table.Th w={124} ta="right">
                    <span className="visually-hidden">{words.columns.actions}</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((task, at) => (
                  <Table.Tr
                    key={nameOf(task)}
                    onClick={(event) => open(event, task)}
                    style={{ cursor: "pointer" }}
                    bg={selected.has(nameOf(task)) ? "var(--mantine-primary-color-light)" : undefined}
                    data-task={task.id}
                  >
                    {canSelect && (
                      <Table.Td>
                        <Checkbox
                          size="xs"
                          aria-label={words.select(task.id)}
                          checked={selected.has(nameOf(task))}
                          onChange={() => {}}
                          onClick={(event) => toggle(at, event)}
                        />
                      </Table.Td>
                    )}
                    <Table.Td>
                      <Link
                        to="/queues/$queue/tasks/$taskId"
                        params={{ queue: task.queue, taskId: task.id }}
                        className="one-line quiet-link"
                      >
                        {task.is_readable ? task.type : words.unreadable}
                      </Link>
                      <Group gap={4} wrap="nowrap">
                        <Text size="xs" c="dimmed" className="mono one-line" title={task.id}>
                          {task.id}
                        </Text>
                        <CopyButton value={task.id} label={words.copyId} />
                      </Group>
                    </Table.Td>
                    {!isOneQueue && (
                      <Table.Td>
                        <Link to="/queues/$queue" params={{ queue: task.queue }} className="one-line quiet-link">
                          {task.queue}
                        </Link>
                      </Table.Td>
                    )}
                    {showPayloads && (
                      <Table.Td>
                        <PayloadLine content={task.payload} />
                      </Table.Td>
                    )}
                    {columns.map((column) => (
                      <Table.Td key={column.name}>{column.cell(task, running)}</Table.Td>
                    ))}
                    <Table.Td>
                      <RowActions task={task} act={act} onMenu={setIsMenuOpen} onMove={setBulk} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <Group justify="space-between" mt="sm">
        <Select
          size="xs"
          w={84}
          aria-label={words.rows}
          allowDeselect={false}
          data={PAGE_SIZES.map(String)}
          value={String(pageSize)}
          onChange={(value) => {
            changeSettings({ pageSize: Number(value) as Settings["pageSize"] });
            if (cursor !== undefined) turnTo([]);
          }}
        />
        <Group gap="xs">
          <Text size="sm" c="dimmed">
            {items.length > 0
              ? words.page.range(
                  count(from),
                  count(from + items.length - 1),
                  total === null ? null : count(Math.max(total, from + items.length - 1)),
                )
              : words.page.none}
          </Text>
          <ActionIcon
            variant="default"
            aria-label={words.page.first}
            disabled={cursor === undefined}
            onClick={() => turnTo([])}
          >
            <IconChevronsLeft size={16} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label={words.page.previous}
            disabled={!trail.length}
            onClick={() => turnTo(trail.slice(0, -1))}
          >
            <IconChevronLeft size={16} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label={words.page.next}
            disabled={data.next_cursor === null || isPlaceholderData}
            onClick={goOn}
          >
            <IconChevronRight size={16} />
          </ActionIcon>
        </Group>
      </Group>
      <BulkDialog
        request={bulk}
        onClose={(isBegun) => {
          setBulk(undefined);
          if (isBegun) setSelected(new Map());
        }}
      />
    </>
  );
}

const nameOf = (task: { queue: string; id: string }): string => `${task.queue}/${task.id}`;
const isThere = (pair: readonly [string, Task | undefined]): pair is readonly [string, Task] => pair[1] !== undefined;
