/** A moment: relative or in full, as the settings say, the other on hover. One clock ticks for all of them. */
import { useSyncExternalStore } from "react";
import { absolute, relative } from "~/lib/format";
import { useSettings } from "~/lib/settings";
import { hinted } from "./hints";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time now in milliseconds, again every second. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => now);

export function Moment({ at, fallback = "–" }: { at: string | number | Date | null | undefined; fallback?: string }) {
  const seen = useNow();
  const { timeZone, times } = useSettings();
  if (at === null || at === undefined || at === "") return <>{fallback}</>;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <>{fallback}</>;
  const ago = relative(date.getTime(), seen);
  const full = absolute(date, timeZone);
  const [shown, hovered] = times === "relative" ? [ago, full] : [full, ago];
  return (
    <time {...hinted(hovered)} dateTime={date.toISOString()} className="nowrap">
      {shown}
    </time>
  );
}
