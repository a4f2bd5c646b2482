/** Copying, also where browsers keep their clipboard from pages: over plain HTTP by a name that is not localhost. */
import { useEffect, useState } from "react";
import { common } from "~/strings/common";
import { say } from "./say";

const SHOWN_MS = 1500;

/** Puts *text* on the clipboard. Raises when the browser refuses. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text); // no clipboard here, or not for us
  }
}

function copyBySelection(text: string): void {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.setAttribute("aria-hidden", "true");
  field.style.cssText = "position:fixed;top:0;left:0;opacity:0;pointer-events:none";
  // Inside of a dialog, which lets nothing else have the focus.
  (before?.closest("[role=dialog]") ?? document.body).append(field);
  try {
    field.focus({ preventScroll: true });
    field.select();
    if (!document.execCommand("copy")) throw new Error(common.copyFailed);
  } finally {
    field.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  }
}

/** Whether something was copied just now, and a function that copies, and says so when it cannot. */
export function useCopy(): { isCopied: boolean; copy: (text: string) => void } {
  const [times, setTimes] = useState(0);
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (times === 0) return;
    setIsCopied(true);
    const timer = setTimeout(() => setIsCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [times]);
  const copy = (text: string) =>
    void copyText(text).then(
      () => setTimes((before) => before + 1),
      () => say.failed(common.copyFailed, common.copyByHand),
    );
  return { isCopied, copy };
}
