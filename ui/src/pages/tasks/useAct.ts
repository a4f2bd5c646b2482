/** What is done to one task from a list. */
import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { type Action, answer, api, type Task } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { useConfirm } from "~/components/Confirm";
import { say } from "~/lib/say";
import { VERBS, tasks as words } from "~/strings/tasks";

/** The actions that need nothing but a click, and a confirmation for some. */
export type SimpleAction = Extract<Action, "run" | "archive" | "delete" | "cancel" | "again">;
export const SIMPLE: readonly SimpleAction[] = ["run", "again", "archive", "cancel", "delete"];

/** A function that does it, asks before where it must, and says what came of it. */
export function useAct(): (action: SimpleAction, task: Task) => Promise<void> {
  const confirm = useConfirm();
  const client = useQueryClient();
  return useCallback(
    async (action, task) => {
      const meta = await client.ensureQueryData(metaQuery);
      if (meta.must_confirm.includes(action)) {
        const isSure = await confirm({
          title: words.single.confirmDelete(task.type),
          body: words.single.gone,
          yes: VERBS[action],
          isDangerous: true,
        });
        if (!isSure) return;
      }
      try {
        const copy = await answer(
          api.POST("/api/v2/queues/{queue}/tasks/{task_id}/actions/{action}", {
            params: { path: { queue: task.queue, task_id: task.id, action } },
          }),
        );
        const message = `${words.bulk.did(action, words.one)}: ${task.type}`;
        if (copy) say.made(message, copy);
        else say.done(message);
      } catch (error) {
        say.failed(words.single.failed(action), error);
      }
      await client.invalidateQueries({ queryKey: ["tasks"] });
    },
    [confirm, client],
  );
}
