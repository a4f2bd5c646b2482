/** Chooses one of the groups of a queue. */
import { Button, Combobox, InputBase, Loader, useCombobox } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { count } from "~/lib/format";
import { useQueue } from "~/live/hooks";
import { tasks as words } from "~/strings/tasks";

export function Groups({
  queue,
  group,
  onGroup,
}: {
  queue: string;
  group: string | undefined;
  onGroup: (group: string | undefined) => void;
}) {
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const [typed, setTyped] = useState("");
  const [name] = useDebouncedValue(typed, 200);
  const waiting = useQueue(queue)?.aggregating;
  const { data, fetchNextPage, hasNextPage, isFetching } = useInfiniteQuery({
    queryKey: ["groups", queue, name, waiting],
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET("/api/v2/queues/{queue}/groups", {
          params: { path: { queue }, query: { name: name || undefined, limit: 100, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    enabled: box.dropdownOpened,
    placeholderData: (before) => before,
  });
  const groups = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Combobox
      store={box}
      onOptionSubmit={(value) => {
        onGroup(value || undefined);
        setTyped("");
        box.closeDropdown();
      }}
    >
      <Combobox.Target>
        <InputBase
          mb="sm"
          maw={360}
          aria-label={words.groups.label}
          placeholder={words.groups.all}
          value={box.dropdownOpened ? typed : (group ?? "")}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            box.openDropdown();
          }}
          onClick={() => box.openDropdown()}
          onFocus={() => box.openDropdown()}
          onBlur={() => box.closeDropdown()}
          rightSection={isFetching && box.dropdownOpened ? <Loader size={14} /> : <Combobox.Chevron />}
        />
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Options mah={320} style={{ overflowY: "auto" }}>
          <Combobox.Option value="">{words.groups.all}</Combobox.Option>
          {groups.map((each) => (
            <Combobox.Option key={each.group} value={each.group}>
              {each.group} · {words.groups.size(each.size, count(each.size))}
            </Combobox.Option>
          ))}
          {groups.length === 0 && !isFetching && <Combobox.Empty>{words.groups.none}</Combobox.Empty>}
        </Combobox.Options>
        {hasNextPage && (
          <Combobox.Footer>
            <Button
              size="compact-xs"
              variant="subtle"
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => void fetchNextPage()}
            >
              {words.groups.more}
            </Button>
          </Combobox.Footer>
        )}
      </Combobox.Dropdown>
    </Combobox>
  );
}
