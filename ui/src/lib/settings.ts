/** What a person has chosen in this browser, kept in its storage. */
import { useSyncExternalStore } from "react";
import { KEY, readSettings, type Settings } from "./stored";

export { DEFAULTS, type Settings } from "./stored";

const listeners = new Set<() => void>();
let current: Settings = readSettings();

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
  current = readSettings();
  for (const listener of listeners) listener();
});
