/** What the page that is open can do, for the palette. */
import { useEffect, useRef, useSyncExternalStore } from "react";

export interface PageAction {
  label: string;
  run: () => void;
}

let offered: readonly (readonly PageAction[])[] = [];
const listeners = new Set<() => void>();

function change(next: typeof offered): void {
  offered = next;
  for (const listener of listeners) listener();
}

/** Offers *actions* while the component is there; they are offered anew when their labels change. */
export function usePageActions(actions: readonly PageAction[]): void {
  const latest = useRef(actions);
  latest.current = actions;
  const labels = actions.map((each) => each.label).join("\n");
  useEffect(() => {
    // Those of the latest rendering are run, which know what is true by then.
    const run = (label: string) => latest.current.find((each) => each.label === label)?.run();
    const mine = labels ? labels.split("\n").map((label) => ({ label, run: () => run(label) })) : [];
    change([...offered, mine]);
    return () => change(offered.filter((each) => each !== mine));
  }, [labels]);
}

export const useOffered = (): readonly (readonly PageAction[])[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => offered,
  );
