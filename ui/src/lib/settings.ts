/** What a person has chosen in this browser, kept in its storage. */
import { useSyncExternalStore } from "react";

export interface Settings {
  /** Rows of a page of tasks. */
  readonly pageSize: 10 | 20 | 50 | 100 | 200;
  /** Whose clock times are shown by. */
  readonly timeZone: "local" | "utc";
  /** Times as "3 min ago" or in full. */
  readonly times: "relative" | "absolute";
  /** Seconds between two looks where there is no stream. */
  readonly pollSeconds: number;
  /** Whether tables show payloads. */
  readonly showPayloads: boolean;
  /** How close rows are. */
  readonly density: "comfortable" | "compact";
  /** Days of the chart of processed tasks. */
  readonly historyDays: 1 | 7 | 30 | 90;
  /** Whether the page of a queue shows rates, days and servers above its tasks. */
  readonly queueDetails: boolean;
  /** Searches by the name that somebody gave them: the query part of their address. */
  readonly savedViews: Readonly<Record<string, string>>;
}

export const DEFAULTS: Settings = {
  pageSize: 20,
  timeZone: "local",
  times: "relative",
  pollSeconds: 5,
  showPayloads: true,
  density: "comfortable",
  historyDays: 7,
  queueDetails: false,
  savedViews: {},
};

const KEY = "asynqpy.settings";
const listeners = new Set<() => void>();
let current: Settings = read();

function read(): Settings {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof stored === "object" && stored !== null ? { ...DEFAULTS, ...stored } : DEFAULTS;
  } catch {
    return DEFAULTS; // no storage, or not ours
  }
}

export function getSettings(): Settings {
  return current;
}

export function changeSettings(parts: Partial<Settings>): void {
  current = { ...current, ...parts };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // private windows: kept as long as the page
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSettings(): Settings {
  return useSyncExternalStore(subscribe, getSettings);
}

// Another tab of the same browser.
window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  current = read();
  for (const listener of listeners) listener();
});
