/** A page of tasks: of one state of a queue, or whatever a search finds. Follows what happens, keeps what is selected. */
import { ActionIcon, Alert, Button, Checkbox, Group, Menu, Paper, Select, Table, Text, Tooltip } from "@mantine/core";
import {
  IconArchive,
  IconArrowsSort,
  IconChevronLeft,
  IconChevronRight,
  IconChevronsLeft,
  IconCopyPlus,
  IconDotsVertical,
  IconDownload,
  IconPlayerPlay,
  IconPlayerStop,
  IconTrash,
} from "@tabler/icons-react";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import { type Action, answer, api, type Filter, type Queue, type Task } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { CopyButton } from "~/components/CopyButton";
import { Empty, Failed, Loading } from "~/components/Notice";
import { PayloadLine } from "~/components/PayloadLine";
import { downloadLines } from "~/lib/download";
import { count } from "~/lib/format";
import { changeSettings, type Settings, useSettings } from "~/lib/settings";
import { STATES } from "~/lib/states";
import { useIsLoaded, useLive, useOnChange } from "~/live/hooks";
import type { TaskSearch } from "~/routes";
import { STATE_NAMES } from "~/strings/common";
import { VERBS, tasks as words } from "~/strings/tasks";
import { BulkDialog, type BulkRequest } from "./BulkDialog";
import { columnsOf, type Running } from "./columns";
import { SIMPLE, type SimpleAction, useAct } from "./useAct";

const ICONS: Readonly<Record<SimpleAction, typeof IconTrash>> = {
  run: IconPlayerPlay,
  again: IconCopyPlus,
  archive: IconArchive,
  cancel: IconPlayerStop,
  delete: IconTrash,
};
const BULK: readonly Action[] = ["run", "again", "archive", "move", "cancel", "delete"];
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
interface Turned {
  cursor: string;
  shown: number;
  scanned: number;
  /** As the first page told them: later pages know only what is left. */
  total: number | null;
  searched: number;
}

/** How often a list is read anew, milliseconds: a search reads through thousands of tasks each time. */
const EVERY_MS = { list: 1_000, search: 10_000 } as const;

/** Whether something beside queue and state limits what is shown: then tasks are looked through for it. */
export const isFiltered = (search: TaskSearch): boolean =>
  [search.id, search.type, search.payload, search.error, search.since, search.until, search.fingerprint].some(
    Boolean,
  ) ||
  // The tasks of a group are listed together only while they wait in it.
  (search.group !== undefined && !(search.state?.length === 1 && search.state[0] === "aggregating"));

/** The start of ids that *search* is for; undefined when it is for a whole id, or for none. */
const idPrefixOf = (search: TaskSearch): string | undefined =>
  search.id?.endsWith("*") ? search.id.slice(0, -1) : undefined;

/** The part of a search that an action on all of it needs. */
export const filterOf = (search: TaskSearch): Filter => {
  const { id: _id, descending: _descending, queue, state, ...rest } = search;
  return { ...rest, id_prefix: idPrefixOf(search), queues: queue, states: state };
};

export function TaskList({ search, isOneQueue = false, onClear, onDescending, onIdPrefix }: TaskListProps) {
  const { pageSize, showPayloads, density } = useSettings();
  const client = useQueryClient();
  const navigate = useNavigate();
  const act = useAct();
  const meta = useQuery(metaQuery).data;
  const isLoaded = useIsLoaded();
  const place = JSON.stringify([search, pageSize]);
  /** The pages before this one. */
  const [trail, setTrail] = useState<Turned[]>([]);
  const [selected, setSelected] = useState<ReadonlyMap<string, Task>>(new Map());
  const [bulk, setBulk] = useState<BulkRequest>();
  const [isMenuOpen, setIsMenuOpen] = useState(false);
  const lastClicked = useRef(0);
  const [seenPlace, setSeenPlace] = useState(place);
  if (place !== seenPlace) {
    setSeenPlace(place);
    setTrail([]);
    setSelected(new Map());
  }

  const before = trail.at(-1);
  const cursor = before?.cursor;
  const key = ["tasks", search, pageSize, cursor ?? ""];
  const { data, error, refetch, isPlaceholderData } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v2/tasks", {
          params: {
            query: {
              ...search,
              id: search.id && idPrefixOf(search) === undefined ? [search.id] : undefined,
              id_prefix: idPrefixOf(search),
              limit: pageSize,
              cursor,
            },
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

  if (error && !data) return <Failed error={error} again={() => void refetch()} />;
  if (!data || (!isLoaded && items.length === 0 && isPlaceholderData)) return <Loading lines={8} />;

  const states = search.state;
  const columns = columnsOf(states);
  const permitted = BULK.filter((action) => [...selected.values()].some((task) => task.actions.includes(action)));
  const canSelect = meta !== undefined && !meta.read_only && meta.user.permissions.length > 0;
  const mine: readonly string[] = meta?.user.permissions ?? [];
  const forAll = allowedForAll(search, meta?.actions_for_all, meta?.actions, canSelect).filter((action) =>
    mine.includes(action),
  );
  const from = (before?.shown ?? 0) + 1;
  const total = isFiltered(search) ? null : (totalOf(counters, search) ?? data.total ?? before?.total ?? null);
  const coverage = {
    scanned: (before?.scanned ?? 0) + data.coverage.scanned,
    total: before?.searched ?? data.coverage.total,
    is_complete: data.coverage.is_complete,
  };
  const goOn = () => {
    if (data.next_cursor === null) return;
    setTrail([
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
          <Tooltip label={search.descending ? words.page.newestFirst : words.page.oldestFirst}>
            <ActionIcon
              variant="default"
              aria-label={search.descending ? words.page.newestFirst : words.page.oldestFirst}
              aria-pressed={search.descending === true}
              onClick={() => onDescending(!search.descending)}
            >
              <IconArrowsSort size={16} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={words.page.export}>
            <ActionIcon
              variant="default"
              aria-label={words.page.export}
              disabled={items.length === 0}
              onClick={() => downloadLines("tasks.jsonl", items)}
            >
              <IconDownload size={16} />
            </ActionIcon>
          </Tooltip>
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
          aria-label="Rows"
          allowDeselect={false}
          data={PAGE_SIZES.map(String)}
          value={String(pageSize)}
          onChange={(value) => changeSettings({ pageSize: Number(value) as Settings["pageSize"] })}
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
            disabled={!trail.length}
            onClick={() => setTrail([])}
          >
            <IconChevronsLeft size={16} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label={words.page.previous}
            disabled={!trail.length}
            onClick={() => setTrail(trail.slice(0, -1))}
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

function RowActions({
  task,
  act,
  onMenu,
  onMove,
}: {
  task: Task;
  act: (action: SimpleAction, task: Task) => Promise<void>;
  onMenu: (isOpen: boolean) => void;
  onMove: (request: BulkRequest) => void;
}) {
  const simple = SIMPLE.filter((action) => task.actions.includes(action));
  const shown = simple.length > 3 ? simple.filter((action) => action !== "again") : simple;
  const canMove = task.actions.includes("move");
  if (simple.length === 0 && !canMove) return null;
  return (
    <Group gap={2} wrap="nowrap" justify="flex-end">
      {shown.map((action) => {
        const Icon = ICONS[action];
        return (
          <Tooltip key={action} label={VERBS[action]}>
            <ActionIcon
              variant="subtle"
              color={action === "delete" ? "red" : "gray"}
              size="sm"
              aria-label={words.of(action, task.id)}
              onClick={() => void act(action, task)}
            >
              <Icon size={15} />
            </ActionIcon>
          </Tooltip>
        );
      })}
      {(canMove || shown.length < simple.length) && (
        <Menu position="bottom-end" onChange={onMenu}>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label={words.more(task.id)}>
              <IconDotsVertical size={15} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {simple.map((action) => (
              <Menu.Item
                key={action}
                color={action === "delete" ? "red" : undefined}
                onClick={() => void act(action, task)}
              >
                {VERBS[action]}
              </Menu.Item>
            ))}
            {canMove && (
              <Menu.Item onClick={() => onMove({ action: "move", tasks: [{ queue: task.queue, id: task.id }] })}>
                {VERBS.move} …
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}

function Coverage({
  coverage,
  isShown,
  onMore,
}: {
  coverage: { scanned: number; total: number; is_complete: boolean };
  isShown: boolean;
  onMore?: () => void;
}) {
  if (!isShown) return null;
  return (
    <>
      <Text size="sm" c="dimmed" role="status">
        {coverage.is_complete
          ? words.coverage.whole(count(coverage.scanned))
          : words.coverage.partly(count(coverage.scanned), count(Math.max(coverage.total, coverage.scanned)))}
      </Text>
      {onMore && (
        <Button size="compact-sm" variant="light" onClick={onMore}>
          {words.coverage.more}
        </Button>
      )}
    </>
  );
}

function Nothing({
  search,
  isPartly,
  onMore,
  onClear,
  onIdPrefix,
}: {
  search: TaskSearch;
  isPartly: boolean;
  onMore: () => void;
  onClear?: () => void;
  onIdPrefix?: (start: string) => void;
}) {
  const { id } = search;
  if (isPartly) {
    return (
      <Alert color="gray" title={words.nothing.partly}>
        <Button size="xs" variant="light" onClick={onMore}>
          {words.coverage.more}
        </Button>
      </Alert>
    );
  }
  const [state] = search.state ?? [];
  if (!isFiltered(search) && search.state?.length === 1 && state) {
    return <Empty title={words.nothing.state(STATE_NAMES[state])} />;
  }
  return (
    <Empty title={words.nothing.title}>
      {words.nothing.text}
      {onIdPrefix && id && !id.endsWith("*") && (
        <div>
          <Button size="xs" variant="light" mt="sm" onClick={() => onIdPrefix(id)}>
            {words.nothing.idPrefix(id)}
          </Button>
        </div>
      )}
      {onClear && (
        <div>
          <Button size="xs" variant="light" mt="sm" onClick={onClear}>
            {words.nothing.clear}
          </Button>
        </div>
      )}
    </Empty>
  );
}

const nameOf = (task: { queue: string; id: string }): string => `${task.queue}/${task.id}`;
const isThere = (pair: readonly [string, Task | undefined]): pair is readonly [string, Task] => pair[1] !== undefined;

/** What is different when the tasks of *search* may be: the counters of its queues and states. */
function signOf(queues: Readonly<Record<string, Queue>>, search: TaskSearch): string {
  const parts: (string | number)[] = [];
  for (const name of search.queue ?? Object.keys(queues)) {
    const queue = queues[name];
    if (!queue) continue;
    for (const state of search.state ?? STATES) parts.push(queue[state]);
    parts.push(queue.processed_total, queue.failed_total);
  }
  return parts.join();
}

/** How many tasks there are in the queues and states of *search*, as the counters say. */
function totalOf(queues: Readonly<Record<string, Queue>>, search: TaskSearch): number | null {
  if (search.group) return null; // counted by the list itself
  let sum = 0;
  for (const name of search.queue ?? Object.keys(queues)) {
    const queue = queues[name];
    if (queue) for (const state of search.state ?? STATES) sum += queue[state];
  }
  return sum;
}

/** What can be done to all that fit: whole states at once, or one by one where a filter picks them. */
function allowedForAll(
  search: TaskSearch,
  whole: Partial<Record<string, Action[]>> | undefined,
  single: Partial<Record<string, Action[]>> | undefined,
  canAct: boolean,
): Action[] {
  const table = isFiltered(search) ? single : (whole ?? single);
  if (!canAct || !table || (search.id && idPrefixOf(search) === undefined)) return [];
  const states = search.state ?? STATES;
  return BULK.filter((action) =>
    states.some((state) => table[state]?.includes(action) || single?.[state]?.includes(action)),
  );
}
