/** What has changed between two texts, line by line. Pure. */

export interface Change {
  kind: "same" | "removed" | "added" | "skipped" | "left";
  /** A line; how many of them, for `skipped` and `left`. */
  text: string;
}

/** Tables of lines larger than this are not worth the time: what differs counts as replaced. */
const LARGEST_TABLE = 4_000_000;

/** The lines of both texts, those of *before* first where they differ. */
export function diff(before: string, after: string): Change[] {
  const old = before.split("\n");
  const now = after.split("\n");
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  ) {
    tail += 1;
  }
  const same = (lines: string[]): Change[] => lines.map((text) => ({ kind: "same", text }));
  return [
    ...same(old.slice(0, head)),
    ...middle(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...same(old.slice(old.length - tail)),
  ];
}

function middle(old: string[], now: string[]): Change[] {
  const removed = (text: string): Change => ({ kind: "removed", text });
  const added = (text: string): Change => ({ kind: "added", text });
  if (old.length * now.length > LARGEST_TABLE) return [...old.map(removed), ...now.map(added)];
  // How long the longest common subsequence of the rest is, for each pair of places.
  const width = now.length + 1;
  const table = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number) => table[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const changes: Change[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    const left = old[i];
    const right = now[j];
    if (left !== undefined && left === right) {
      changes.push({ kind: "same", text: left });
      i += 1;
      j += 1;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      changes.push(removed(left));
      i += 1;
    } else if (right !== undefined) {
      changes.push(added(right));
      j += 1;
    }
  }
  return changes;
}

/** *changes* without the lines that are further than *context* from any change; `skipped` tells how many were there. */
export function shortened(changes: readonly Change[], context = 3): Change[] {
  const near = new Uint8Array(changes.length);
  changes.forEach((change, at) => {
    if (change.kind !== "same") near.fill(1, Math.max(0, at - context), at + context + 1);
  });
  const kept: Change[] = [];
  let skipped = 0;
  const tell = () => {
    if (skipped) kept.push({ kind: "skipped", text: String(skipped) });
    skipped = 0;
  };
  changes.forEach((change, at) => {
    if (near[at]) {
      tell();
      kept.push(change);
    } else {
      skipped += 1;
    }
  });
  tell();
  return kept;
}

/** The first *most* of *changes*; `left` tells how many more there are. Some of both kinds where many lines are replaced. */
export function cut(changes: readonly Change[], most = 2_000): Change[] {
  const kept: Change[] = [];
  let left = 0;
  let at = 0;
  while (at < changes.length) {
    const kind = changes[at]?.kind;
    let end = at;
    while (end < changes.length && changes[end]?.kind === kind) end += 1;
    const isReplaced = kind === "removed" && changes[end]?.kind === "added";
    const room = Math.max(0, isReplaced ? Math.ceil((most - kept.length) / 2) : most - kept.length);
    const taken = Math.min(end - at, room);
    for (let i = at; i < at + taken; i += 1) kept.push(changes[i] as Change);
    if (taken < end - at) {
      if (taken && isReplaced) kept.push({ kind: "left", text: String(end - at - taken) });
      else left += end - at - taken;
    }
    at = end;
  }
  if (left) kept.push({ kind: "left", text: String(left) });
  return kept;
}
