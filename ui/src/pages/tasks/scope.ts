/** What a search for tasks covers: whether it filters, how much there is, what can be done to all of it. Pure. */
import type { Action, Filter, Queue } from "~/api/client";
import { STATES } from "~/lib/states";
import type { TaskSearch } from "~/routes";

/** Actions on many tasks, in the order of their buttons. */
export const BULK: readonly Action[] = ["run", "again", "archive", "move", "cancel", "delete"];

/** Whether something beside queue and state limits what is shown: then tasks are looked through for it. */
export const isFiltered = (search: TaskSearch): boolean =>
  [
    search.id,
    search.type,
    search.payload,
    search.error,
    search.header?.length,
    search.field?.length,
    search.since,
    search.until,
    search.fingerprint,
  ].some(Boolean) ||
  // The tasks of a group are listed together only while they wait in it.
  (search.group !== undefined && !(search.state?.length === 1 && search.state[0] === "aggregating"));

/** The start of ids that *search* is for; undefined when it is for a whole id, or for none. */
export const idPrefixOf = (search: TaskSearch): string | undefined =>
  search.id?.endsWith("*") ? search.id.slice(0, -1) : undefined;

/** What *search* is for, wherever in its list one is. */
export const withoutPlace = ({ cursor: _cursor, after: _after, ...search }: TaskSearch): TaskSearch => search;

/** *search* as the API takes it. */
export const queryOf = (search: TaskSearch) => {
  const { id, ...rest } = withoutPlace(search);
  const prefix = idPrefixOf(search);
  return { ...rest, id: id && prefix === undefined ? [id] : undefined, id_prefix: prefix };
};

/** The part of a search that an action on all of it needs. */
export const filterOf = (search: TaskSearch): Filter => {
  const { id: _id, descending: _descending, queue, state, header, field, ...rest } = withoutPlace(search);
  return { ...rest, id_prefix: idPrefixOf(search), queues: queue, states: state, headers: header, fields: field };
};

/** What is different when the tasks of *search* may be: the counters of its queues and states. */
export function signOf(queues: Readonly<Record<string, Queue>>, search: TaskSearch): string {
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
export function totalOf(queues: Readonly<Record<string, Queue>>, search: TaskSearch): number | null {
  if (search.group) return null; // counted by the list itself
  let sum = 0;
  for (const name of search.queue ?? Object.keys(queues)) {
    const queue = queues[name];
    if (queue) for (const state of search.state ?? STATES) sum += queue[state];
  }
  return sum;
}

/** What can be done to all that fit, in the order of buttons. */
export function allowedForAll(
  search: TaskSearch,
  allowed: Partial<Record<string, Action[]>> | undefined,
  canAct: boolean,
): Action[] {
  if (!canAct || !allowed || (search.id && idPrefixOf(search) === undefined)) return [];
  const states = search.state ?? STATES;
  return BULK.filter((action) => states.some((state) => allowed[state]?.includes(action)));
}
