/** Tasks of any queues and states. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ButtonLink } from "~/components/links";
import { PageHeader } from "~/components/PageHeader";
import { command, reading } from "~/lib/cli";
import type { TaskSearch } from "~/routes";
import { tasks as words } from "~/strings/tasks";
import { FilterBar } from "./FilterBar";
import { queryOf } from "./scope";
import { TaskList } from "./TaskList";

export default function Tasks() {
  const search = useSearch({ from: "/tasks" });
  const navigate = useNavigate({ from: "/tasks" });
  const go = (next: TaskSearch) => void navigate({ search: next });
  return (
    <>
      <PageHeader
        title={words.title}
        cli={findCommand(search)}
        http={[reading("/api/v2/tasks", queryOf(search))]}
        actions={
          <ButtonLink to="/new-task" variant="default">
            {words.newTask}
          </ButtonLink>
        }
      />
      <FilterBar search={search} onSearch={go} hasPlaces />
      <TaskList
        search={search}
        onClear={() => go({})}
        onIdPrefix={(start) => go({ ...search, id: `${start}*` })}
        onDescending={(descending) => go({ ...search, descending: descending || undefined })}
      />
    </>
  );
}

/** The command that finds the same; none where the command line cannot. */
export function findCommand(search: TaskSearch): string[] {
  const options: string[] = [];
  const { queue, state, id, descending, fingerprint, cursor: _cursor, after: _after, ...rest } = search;
  if (fingerprint) return [];
  for (const each of queue ?? []) options.push("--queue", each);
  for (const each of state ?? []) options.push("--state", each);
  for (const [name, value] of Object.entries(rest)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each) options.push(`--${name}`, each);
  }
  if (id?.endsWith("*")) options.push("--id-prefix", id.slice(0, -1));
  if (descending) options.push("--reverse");
  return [command("task", "find", ...options, ...(id && !id.endsWith("*") ? ["--", id] : []))];
}
