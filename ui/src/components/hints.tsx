/**
 * Hints: what something is or does, told when somebody points at it. A page may have two hundred, and a tooltip of its own
 * for each would keep it waiting, so they are attributes, and one tooltip shows them all.
 */
import { Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";

const ATTRIBUTE = "data-hint";
const ID = "hint";

/** What to spread over an element that has a hint; without a *label* it has none. */
export const hinted = (label: string | undefined) => (label ? { [ATTRIBUTE]: label } : {});

const closestTo = (at: EventTarget | null) =>
  at instanceof Element ? at.closest<HTMLElement>(`[${ATTRIBUTE}]`) : null;

/** Shows the hint of what is under the mouse, or has the focus of the keyboard. One is enough for all. */
export function Hints() {
  const [shown, show] = useState<{ target: HTMLElement; label: string }>();
  const [isOpen, setOpen] = useState(false);

  useEffect(() => {
    const look = (target: HTMLElement | null) => {
      if (target) show({ target, label: target.getAttribute(ATTRIBUTE) ?? "" });
      setOpen(target !== null);
    };
    const onPointer = (event: PointerEvent) => event.pointerType !== "touch" && look(closestTo(event.target));
    const onFocus = (event: FocusEvent) => {
      const target = event.target instanceof Element && event.target.matches(":focus-visible") ? event.target : null;
      if (target) look(closestTo(target));
    };
    const hide = () => setOpen(false);
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && hide();
    document.addEventListener("pointerover", onPointer);
    document.addEventListener("focusin", onFocus);
    document.addEventListener("focusout", hide);
    document.addEventListener("keydown", onKey);
    document.documentElement.addEventListener("pointerleave", hide);
    return () => {
      document.removeEventListener("pointerover", onPointer);
      document.removeEventListener("focusin", onFocus);
      document.removeEventListener("focusout", hide);
      document.removeEventListener("keydown", onKey);
      document.documentElement.removeEventListener("pointerleave", hide);
    };
  }, []);

  const target = isOpen ? shown?.target : undefined;
  useEffect(() => {
    if (!target) return;
    const before = target.getAttribute("aria-describedby");
    target.setAttribute("aria-describedby", ID);
    // What it says may change while it is looked at, and what it is about may go.
    const observer = new MutationObserver(() => {
      const label = target.isConnected && target.getAttribute(ATTRIBUTE);
      if (!label) setOpen(false);
      else show((last) => (last?.target === target && last.label !== label ? { target, label } : last));
    });
    observer.observe(document.body, { subtree: true, childList: true, attributeFilter: [ATTRIBUTE] });
    return () => {
      observer.disconnect();
      if (before === null) target.removeAttribute("aria-describedby");
      else target.setAttribute("aria-describedby", before);
    };
  }, [target]);

  if (!shown) return null;
  return (
    <Tooltip
      target={shown.target}
      opened={isOpen}
      label={<span id={ID}>{shown.label}</span>}
      multiline
      maw={320}
      w="max-content"
    />
  );
}
