/** Where the tasks of a group failed last, in words. */
import { count } from "~/lib/format";
import { failures as words } from "~/strings/failures";
import { type Failure, known, rankedWithUnknown } from "./groups";

const MOST_VERSIONS = 4;

/** "on 3 servers, versions 1.4.2 (88), 1.4.1 (12)"; what nobody knows is said too. */
export function affected(group: Failure): string {
  const where = group.server_count
    ? words.onServers(count(group.server_count), group.server_count === 1)
    : words.onUnknown;
  if (known(group.versions).length === 0) return `${where}, ${words.ofUnknown}`;
  const all = rankedWithUnknown(group.versions);
  const names = all.slice(0, MOST_VERSIONS).map(([name, n]) => `${name || words.unknown} (${count(n)})`);
  const rest = all.length > MOST_VERSIONS ? ` ${words.more(all.length - MOST_VERSIONS)}` : "";
  return `${where}, ${words.ofVersions(names.join(", ") + rest, all.length === 1)}`;
}

/** The same for a line in a list: the names alone, and only what is known. */
export function affectedInShort(group: Failure): string {
  const versions = known(group.versions).map(([name]) => name);
  const rest = versions.length > 3 ? ` ${words.more(versions.length - 3)}` : "";
  return [
    ...(group.server_count ? [words.onServers(count(group.server_count), group.server_count === 1)] : []),
    ...(versions.length ? [words.ofVersions(versions.slice(0, 3).join(", ") + rest, versions.length === 1)] : []),
  ].join(", ");
}
