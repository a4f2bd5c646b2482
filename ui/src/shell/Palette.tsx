/** Ctrl K: every page, every queue, any task by its id, by keyboard. */
import { Spotlight, type SpotlightActionData, spotlight } from "@mantine/spotlight";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { connection } from "~/live/connection";
import { useQueues } from "~/live/hooks";
import { shell } from "~/strings/shell";

export const openPalette = () => spotlight.open();

const MOST_QUEUES = 30;

export function Palette() {
  const navigate = useNavigate();
  const queues = useQueues();
  const [query, setQuery] = useState("");
  const word = query.trim();

  const actions = useMemo(() => {
    const page = (to: string, label: string): SpotlightActionData => ({
      id: `page ${to}`,
      label,
      group: shell.palette.pages,
      onClick: () => void navigate({ to: to as never }),
    });
    const { nav } = shell;
    const found: SpotlightActionData[] = [
      page("/", nav.overview),
      page("/tasks", nav.tasks),
      page("/failures", nav.failures),
      page("/q/metrics", nav.metrics),
      page("/servers", nav.servers),
      page("/schedulers", nav.schedulers),
      page("/jobs", nav.jobs),
      page("/redis", nav.redis),
      page("/settings", nav.settings),
    ].filter((each) => fits(each.label ?? "", word));
    const names = Object.keys(queues).filter((name) => fits(name, word));
    for (const name of names.sort().slice(0, MOST_QUEUES)) {
      found.push({
        id: `queue ${name}`,
        label: name,
        group: shell.palette.queues,
        onClick: () => void navigate({ to: "/queues/$queue", params: { queue: name } }),
      });
    }
    if (word) {
      found.push(
        {
          id: "find task",
          label: shell.palette.findTask(word),
          group: shell.palette.actions,
          onClick: () => void navigate({ to: "/tasks", search: { id: word } }),
        },
        {
          id: "find type",
          label: shell.palette.findType(word),
          group: shell.palette.actions,
          onClick: () => void navigate({ to: "/tasks", search: { type: word.includes("*") ? word : `${word}*` } }),
        },
      );
    } else {
      const isPaused = connection.get().status === "paused";
      found.push({
        id: "pause",
        label: isPaused ? shell.resume : shell.pause,
        group: shell.palette.actions,
        onClick: () => connection.setPaused(!isPaused),
      });
    }
    const groups = new Map<string, SpotlightActionData[]>();
    for (const each of found) {
      const group = each.group ?? "";
      groups.set(group, [...(groups.get(group) ?? []), each]);
    }
    return [...groups].map(([group, all]) => ({ group, actions: all }));
  }, [queues, word, navigate]);

  return (
    <Spotlight
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      filter={(_, all) => all}
      nothingFound={shell.palette.nothing}
      searchProps={{ placeholder: shell.search, "aria-label": shell.search }}
      shortcut={["mod + K", "/"]}
      scrollable
      maxHeight={420}
    />
  );
}

const fits = (text: string, word: string): boolean => text.toLowerCase().includes(word.toLowerCase());
