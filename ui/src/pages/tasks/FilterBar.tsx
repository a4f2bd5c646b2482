/** One line in which everything can be said, what is looked for as chips, and the views that somebody saved. */
import { ActionIcon, Button, Divider, Group, Pill, Popover, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { IconBookmark, IconCheck, IconLink, IconSearch, IconTrash } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { TaskState } from "~/api/client";
import { hinted } from "~/components/hints";
import { MultiSelect } from "~/components/selects";
import { useCopy } from "~/lib/clipboard";
import { changeSettings, useSettings } from "~/lib/settings";
import { STATES } from "~/lib/states";
import { useLive } from "~/live/hooks";
import type { TaskSearch } from "~/routes";
import { common, STATE_NAMES } from "~/strings/common";
import { tasks as words } from "~/strings/tasks";
import { format, parse } from "./query";

export interface FilterBarProps {
  search: TaskSearch;
  onSearch: (search: TaskSearch) => void;
  /** Whether queues and states are chosen here too; a queue's own page has them already. */
  hasPlaces: boolean;
}

export function FilterBar({ search, onSearch, hasPlaces }: FilterBarProps) {
  const { queue, state, descending, cursor: _cursor, after: _after, ...rest } = search;
  const line = format(rest);
  const [typed, setTyped] = useState(line);
  const [bad, setBad] = useState<string[]>([]);
  const [isElsewhere, setIsElsewhere] = useState(false);
  const { isCopied, copy } = useCopy();
  useEffect(() => setTyped(line), [line]);

  const find = () => {
    const found = parse(typed);
    setBad(found.bad);
    setIsElsewhere(!hasPlaces && found.search.queue !== undefined);
    if (found.bad.length || (!hasPlaces && found.search.queue)) return;
    onSearch({
      ...found.search,
      queue: found.search.queue ?? queue,
      state: found.search.state ?? state,
      descending,
    });
  };
  const chips = (Object.entries(rest) as [keyof TaskSearch, string | string[] | undefined][]).flatMap(
    ([name, value]) =>
      Array.isArray(value)
        ? value.map((each) => ({ name, text: each, left: value.filter((other) => other !== each) }))
        : value === undefined
          ? []
          : [{ name, text: value, left: [] }],
  );

  return (
    <Stack gap="xs" mb="md">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          find();
        }}
      >
        <Group gap="xs" align="flex-start" wrap="nowrap">
          <Tooltip label={words.filters.help} multiline maw={380} openDelay={700} position="bottom-start">
            <TextInput
              style={{ flex: 1 }}
              leftSection={<IconSearch size={16} />}
              placeholder={words.filters.placeholder}
              aria-label={words.filters.label}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              error={bad.length > 0 ? words.filters.bad(bad.join(" ")) : isElsewhere && words.filters.oneQueue}
              spellCheck={false}
              autoComplete="off"
            />
          </Tooltip>
          <Button type="submit" variant="default" visibleFrom="sm">
            {words.filters.apply}
          </Button>
          <Views search={search} onSearch={onSearch} hasPlaces={hasPlaces} />
          <ActionIcon
            {...hinted(isCopied ? common.copied : words.filters.share)}
            variant="default"
            size={36}
            aria-label={words.filters.share}
            onClick={() => copy(window.location.href)}
          >
            {isCopied ? <IconCheck size={16} /> : <IconLink size={16} />}
          </ActionIcon>
        </Group>
      </form>
      {hasPlaces && <Places search={search} onSearch={onSearch} />}
      {chips.length > 0 && (
        <Group gap={6}>
          {chips.map(({ name, text, left }) => (
            <Pill
              key={`${name} ${text}`}
              withRemoveButton
              onRemove={() => onSearch({ ...search, [name]: left.length ? left : undefined })}
              removeButtonProps={{
                "aria-label": words.filters.remove(Array.isArray(search[name]) ? `${name} ${text}` : name),
              }}
            >
              {name}: {text}
            </Pill>
          ))}
          <Button
            size="compact-xs"
            variant="subtle"
            color="gray"
            onClick={() => onSearch({ queue, state, descending })}
          >
            {words.filters.clear}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function Places({ search, onSearch }: { search: TaskSearch; onSearch: (search: TaskSearch) => void }) {
  const names = useLive((live) => live.queues);
  const queues = Object.keys(names).sort();
  return (
    <Group gap="xs" grow preventGrowOverflow={false}>
      <MultiSelect
        data={[...new Set([...queues, ...(search.queue ?? [])])]}
        value={search.queue ?? []}
        onChange={(queue) => onSearch({ ...search, queue: queue.length ? queue : undefined })}
        placeholder={search.queue ? undefined : words.filters.anyQueue}
        aria-label={words.filters.queues}
        searchable
        clearable
        limit={50}
        maw={460}
      />
      <MultiSelect
        data={STATES.map((value) => ({ value, label: STATE_NAMES[value] }))}
        value={search.state ?? []}
        onChange={(state) => onSearch({ ...search, state: state.length ? (state as TaskState[]) : undefined })}
        placeholder={search.state ? undefined : words.filters.anyState}
        aria-label={words.filters.states}
        clearable
        maw={460}
      />
    </Group>
  );
}

function Views({ search, onSearch, hasPlaces }: FilterBarProps) {
  const { savedViews } = useSettings();
  const [name, setName] = useState("");
  const [isOpen, setIsOpen] = useState(false);
  const names = Object.keys(savedViews).sort();
  const line = format(hasPlaces ? search : { ...search, queue: undefined, state: undefined });
  return (
    <Popover opened={isOpen} onChange={setIsOpen} width={300} position="bottom-end" shadow="md" trapFocus withArrow>
      <Popover.Target>
        <ActionIcon
          {...hinted(words.filters.views)}
          variant="default"
          size={36}
          aria-label={words.filters.views}
          onClick={() => setIsOpen((before) => !before)}
        >
          <IconBookmark size={16} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <Text size="xs" fw={600} c="dimmed">
            {words.filters.views}
          </Text>
          {names.length === 0 && (
            <Text size="sm" c="dimmed">
              {words.filters.noViews}
            </Text>
          )}
          {names.map((each) => (
            <Group key={each} gap="xs" wrap="nowrap" justify="space-between">
              <Button
                variant="subtle"
                size="compact-sm"
                onClick={() => {
                  setIsOpen(false);
                  onSearch({
                    ...(hasPlaces ? {} : { queue: search.queue, state: search.state }),
                    ...parse(savedViews[each] ?? "").search,
                  });
                }}
              >
                {each}
              </Button>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                aria-label={words.filters.delete(each)}
                onClick={() => {
                  const { [each]: _gone, ...left } = savedViews;
                  changeSettings({ savedViews: left });
                }}
              >
                <IconTrash size={14} />
              </ActionIcon>
            </Group>
          ))}
          <Divider />
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!name.trim()) return;
              changeSettings({ savedViews: { ...savedViews, [name.trim()]: line } });
              setName("");
            }}
          >
            <Group gap="xs" align="flex-end" wrap="nowrap">
              <TextInput
                label={words.filters.save}
                placeholder={words.filters.saveName}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                style={{ flex: 1 }}
              />
              <Button type="submit" variant="default" disabled={!name.trim() || !line}>
                {words.filters.saveYes}
              </Button>
            </Group>
          </form>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
