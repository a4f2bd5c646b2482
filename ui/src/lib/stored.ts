/** What a person has chosen in this browser, as its storage has it. Without React, for what runs before it is there. */
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

export const KEY = "asynqpy.settings";

export function readSettings(): Settings {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof stored === "object" && stored !== null ? { ...DEFAULTS, ...stored } : DEFAULTS;
  } catch {
    return DEFAULTS; // no storage, or not ours
  }
}
