/** From one queue to any other: a menu of all of them that can be searched. */
import { Combobox, Text, UnstyledButton, useCombobox } from "@mantine/core";
import { IconSelector } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useLazyOptions } from "~/components/selects";
import { useQueues } from "~/live/hooks";
import { queueText } from "~/strings/queue";

const MOST = 50;

export function QueueMenu({ name }: { name: string }) {
  const queues = useQueues();
  const navigate = useNavigate();
  const [word, setWord] = useState("");
  const lazy = useLazyOptions();
  const combobox = useCombobox({
    onDropdownOpen: () => combobox.focusSearchInput(),
    onDropdownClose: () => {
      combobox.resetSelectedOption();
      combobox.focusTarget();
      setWord("");
    },
  });
  const fitting = combobox.dropdownOpened
    ? Object.keys(queues)
        .filter((each) => each.toLowerCase().includes(word.trim().toLowerCase()))
        .sort()
    : [];
  return (
    <Combobox
      {...lazy.options}
      store={combobox}
      width={300}
      position="bottom-start"
      shadow="md"
      onOptionSubmit={(queue) => {
        combobox.closeDropdown();
        void navigate({ to: "/queues/$queue", params: { queue }, search: ({ status }) => ({ status }) });
      }}
    >
      <Combobox.Target targetType="button">
        <UnstyledButton
          {...lazy.box}
          onClick={() => combobox.toggleDropdown()}
          aria-label={queueText.others(name)}
          title={name}
          style={{ display: "inline-flex", alignItems: "center", gap: 4, minWidth: 0, maxWidth: "100%" }}
        >
          <Text component="span" size="sm" truncate>
            {name}
          </Text>
          <IconSelector size={14} style={{ flexShrink: 0 }} />
        </UnstyledButton>
      </Combobox.Target>
      <Combobox.Dropdown maw="calc(100vw - 2rem)">
        <Combobox.Search
          role="combobox"
          aria-expanded
          value={word}
          onChange={(event) => {
            setWord(event.currentTarget.value);
            combobox.selectFirstOption();
          }}
          placeholder={queueText.findQueue}
          aria-label={queueText.findQueue}
        />
        <Combobox.Options mah={320} style={{ overflowY: "auto" }} aria-label={queueText.allQueues}>
          {fitting.slice(0, MOST).map((each) => (
            <Combobox.Option key={each} value={each} active={each === name}>
              <Text component="span" size="sm" fw={each === name ? 600 : undefined} truncate display="block">
                {each}
              </Text>
            </Combobox.Option>
          ))}

          {fitting.length === 0 && <Combobox.Empty>{queueText.noQueue}</Combobox.Empty>}
        </Combobox.Options>
        {fitting.length > MOST && (
          <Combobox.Footer>
            <Text size="xs" c="dimmed">
              {queueText.moreQueues(fitting.length - MOST)}
            </Text>
          </Combobox.Footer>
        )}
      </Combobox.Dropdown>
    </Combobox>
  );
}
