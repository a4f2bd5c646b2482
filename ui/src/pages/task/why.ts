/** What the reasons why a task does not run come to, in one sentence. Pure. */
import type { Schemas } from "~/api/client";
import { task as words } from "~/strings/task";

/** The sentence above all reasons, and the weight of the weightiest one that keeps the task from running. */
export function headline({ state, items }: Schemas["Why"]): { text: string; weight?: "blocks" | "delays" } {
  const causes = new Set(items.map((reason) => reason.cause));
  const weight = items.some((reason) => reason.weight === "blocks")
    ? "blocks"
    : items.some((reason) => reason.weight === "delays")
      ? "delays"
      : undefined;
  const plain = words.why.headline[state];
  switch (state) {
    case "active":
      if (causes.has("lease_expired")) return { text: words.why.orphan, weight };
      if (causes.has("no_worker")) return { text: words.why.claimed, weight };
      return { text: plain };
    case "pending":
      if (weight === "blocks") return { text: words.why.blocked, weight };
      return weight ? { text: words.why.delayed, weight } : { text: plain };
    case "scheduled":
    case "retry":
    case "aggregating":
      if (causes.has("overdue")) return { text: words.why.blocked, weight };
      return weight === "blocks" ? { text: words.why.blockedLater, weight } : { text: plain, weight };
    case "archived":
      return { text: plain, weight: "blocks" };
    case "completed":
      return { text: plain };
  }
}

/** *text* with a capital at its beginning and a stop at its end. */
export const sentence = (text: string): string =>
  text && text[0]?.toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
