/** Ctrl K: every page, every queue, any task by its id, by keyboard. */
import { useHotkeys } from "@mantine/hooks";
import { createSpotlight, Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { metaQuery } from "~/api/queries";
import { connection } from "~/live/connection";
import { useQueues } from "~/live/hooks";
import { shell } from "~/strings/shell";
import { useOffered } from "./pageActions";

const [store, palette] = createSpotlight();
export const openPalette = () => palette.open();

const MOST_QUEUES = 30;

export function Palette() {
  const navigate = useNavigate();
  const queues = useQueues();
  const offered = useOffered();
  const { data: meta } = useQuery(metaQuery);
  const mayEnqueue = meta?.user.permissions.includes("enqueue") === true;
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
    const here = offered.flat().filter((each) => fits(each.label, word));
    const ofPage: SpotlightActionData[] = here.map((each) => ({
      id: `here ${each.label}`,
      label: each.label,
      group: shell.palette.here,
      onClick: each.run,
    }));
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
      ...(mayEnqueue ? [page("/new-task", shell.palette.newTask)] : []),
    ].filter((each) => fits(each.label ?? "", word));
    if (!word) found.push(...ofPage);
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
      // After the queues: whoever types a name and presses Enter wants to go there, not to pause it.
      found.push(
        ...ofPage,
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
  }, [queues, word, navigate, offered, mayEnqueue]);

  // From anywhere by Ctrl K, also out of a box of text; "/" there is a character.
  useHotkeys([["mod + K", openPalette]], []);
  useHotkeys([["/", openPalette]]);
  // The library chooses the first entry before what was typed has changed the list, so that Enter would do nothing.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is typed is the reason, though it is not used
  useEffect(() => {
    const list = document.getElementById(store.getState().listId);
    const [first] = list?.querySelectorAll("[data-action]") ?? [];
    list?.querySelector("[data-selected]")?.removeAttribute("data-selected");
    first?.setAttribute("data-selected", "true");
    store.updateState((state) => ({ ...state, selected: first ? 0 : -1 }));
  }, [word]);

  return (
    <Spotlight
      store={store}
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      // Emptied when it opens: at the end of closing it may have been opened again, and typed into.
      clearQueryOnClose={false}
      onSpotlightOpen={() => setQuery("")}
      filter={(_, all) => all}
      nothingFound={shell.palette.nothing}
      searchProps={{ placeholder: shell.search, "aria-label": shell.search }}
      shortcut={null}
      scrollable
      maxHeight={420}
    />
  );
}

const fits = (text: string, word: string): boolean => text.toLowerCase().includes(word.toLowerCase());
