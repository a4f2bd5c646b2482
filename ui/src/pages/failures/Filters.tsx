/** Which failures are shown. */
import { Button, Group, Input, Popover, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconClock } from "@tabler/icons-react";
import { useEffect, useMemo, useState } from "react";
import { MultiSelect, Select } from "~/components/selects";
import { absolute } from "~/lib/format";
import { useSettings } from "~/lib/settings";
import { useQueues } from "~/live/hooks";
import type { FailureSearch } from "~/routes";
import { STATE_NAMES } from "~/strings/common";
import { failures as words } from "~/strings/failures";
import type { FailureFilter } from "./groups";
import { meant, typed } from "./moments";

const HOURS = [1, 6, 24, 168];

export function Filters({
  filter,
  sort,
  change,
}: {
  filter: FailureFilter;
  sort: FailureSearch["sort"];
  change: (parts: Partial<FailureSearch>) => void;
}) {
  const queues = useQueues();
  const names = useMemo(
    () => [...new Set([...Object.keys(queues), ...(filter.queue ?? [])])].sort(),
    [queues, filter.queue],
  );
  return (
    <Group gap="xs" align="flex-end" role="search" aria-label={words.filters}>
      <MultiSelect
        size="xs"
        label={words.queue}
        placeholder={filter.queue?.length ? undefined : words.anyQueue}
        data={names}
        value={filter.queue ?? []}
        onChange={(queue) => change({ queue: queue.length ? queue : undefined })}
        searchable
        clearable
        limit={100}
        maw={360}
        style={{ flex: "1 1 160px" }}
      />
      <TypeInput value={filter.type ?? ""} onChange={(type) => change({ type: type || undefined })} />
      <Select
        size="xs"
        style={{ flex: "1 1 150px" }}
        maw={190}
        label={words.state}
        data={[
          { value: "", label: words.bothStates },
          { value: "retry", label: STATE_NAMES.retry },
          { value: "archived", label: STATE_NAMES.archived },
        ]}
        value={filter.state?.length === 1 ? filter.state[0] : ""}
        onChange={(state) => change({ state: state ? [state as "retry" | "archived"] : undefined })}
        allowDeselect={false}
      />
      <When since={filter.since} until={filter.until} change={change} />
      <Select
        size="xs"
        style={{ flex: "1 1 130px" }}
        maw={160}
        label={words.sort}
        data={[
          { value: "", label: words.sorts.count },
          { value: "last", label: words.sorts.last },
          { value: "first", label: words.sorts.first },
        ]}
        value={sort ?? ""}
        onChange={(value) => change({ sort: (value || undefined) as FailureSearch["sort"] })}
        allowDeselect={false}
      />
    </Group>
  );
}

/** Tells what was typed when nothing was typed for a moment. */
function TypeInput({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const tell = useDebouncedCallback(onChange, 350);
  useEffect(() => setTyped(value), [value]);
  return (
    <TextInput
      size="xs"
      label={words.type}
      placeholder={words.anyType}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        tell(event.currentTarget.value.trim());
      }}
      style={{ flex: "1 1 150px" }}
      maw={220}
    />
  );
}

function When({
  since,
  until,
  change,
}: {
  since?: string;
  until?: string;
  change: (parts: Partial<FailureSearch>) => void;
}) {
  const { timeZone } = useSettings();
  const [isOpen, setIsOpen] = useState(false);
  const moment = (value: string | undefined) =>
    value && !Number.isNaN(Date.parse(value)) ? absolute(new Date(value), timeZone).slice(0, 16) : "";
  const shown = [since && `≥ ${moment(since)}`, until && `< ${moment(until)}`].filter(Boolean).join(", ");
  return (
    <Input.Wrapper label={words.when} size="xs" labelElement="div" style={{ flex: "1 1 130px" }} maw={330}>
      <Popover position="bottom-start" shadow="md" trapFocus opened={isOpen} onChange={setIsOpen}>
        <Popover.Target>
          <Button
            variant="default"
            size="xs"
            fw={400}
            fullWidth
            justify="flex-start"
            leftSection={<IconClock size={14} />}
            aria-label={`${words.when}: ${shown || words.anyTime}`}
            onClick={() => setIsOpen(!isOpen)}
          >
            {shown || words.anyTime}
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <Stack gap="xs" w={250}>
            <Text size="xs" c="dimmed">
              {words.whenHint}
            </Text>
            <Group gap={4}>
              {HOURS.map((hours) => (
                <Button
                  key={hours}
                  size="compact-xs"
                  variant="light"
                  onClick={() =>
                    change({ since: new Date(Date.now() - hours * 3_600_000).toISOString(), until: undefined })
                  }
                >
                  {words.lastHours(hours)}
                </Button>
              ))}
              <Button
                size="compact-xs"
                variant="default"
                onClick={() => change({ since: undefined, until: undefined })}
              >
                {words.anyTime}
              </Button>
            </Group>
            <TextInput
              type="datetime-local"
              size="xs"
              label={words.since}
              value={typed(since, timeZone)}
              onChange={(event) => change({ since: meant(event.currentTarget.value, timeZone) })}
            />
            <TextInput
              type="datetime-local"
              size="xs"
              label={words.until}
              value={typed(until, timeZone)}
              onChange={(event) => change({ until: meant(event.currentTarget.value, timeZone) })}
            />
          </Stack>
        </Popover.Dropdown>
      </Popover>
    </Input.Wrapper>
  );
}
