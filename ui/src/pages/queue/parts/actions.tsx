/** What is done to a queue as a whole: pause, resume, delete. */
import { List, Stack, Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";
import { answer, api, type Queue } from "~/api/client";
import { useConfirm } from "~/components/Confirm";
import { count } from "~/lib/format";
import { say } from "~/lib/say";
import { STATES } from "~/lib/states";
import { STATE_NAMES } from "~/strings/common";
import { queueText } from "~/strings/queue";

export interface QueueActions {
  setPaused: (queue: Queue, isPaused: boolean) => Promise<void>;
  /** Asks first; tells whether it is gone. */
  remove: (queue: Queue) => Promise<boolean>;
}

export function useQueueActions(): QueueActions {
  const confirm = useConfirm();
  const navigate = useNavigate();

  const setPaused = useCallback(async ({ queue }: Queue, isPaused: boolean) => {
    const params = { path: { queue } };
    try {
      await answer(
        isPaused
          ? api.POST("/api/v2/queues/{queue}/pause", { params })
          : api.POST("/api/v2/queues/{queue}/resume", { params }),
      );
      say.done(isPaused ? queueText.pausedNow(queue) : queueText.resumedNow(queue));
    } catch (error) {
      say.failed(isPaused ? queueText.pauseFailed(queue) : queueText.resumeFailed(queue), error);
    }
  }, []);

  const remove = useCallback(
    async (queue: Queue) => {
      const { queue: name, size, active } = queue;
      if (active > 0) {
        const wantsToSee = await confirm({
          title: queueText.busyTitle(name),
          body: queueText.busyText(active),
          yes: queueText.busyYes,
        });
        if (wantsToSee) {
          await navigate({ to: "/queues/$queue", params: { queue: name }, search: { status: "active" } });
        }
        return false;
      }
      const isSure = await confirm({
        title: queueText.removeTitle(name),
        body: size > 0 ? <Contents queue={queue} /> : queueText.removeEmpty,
        yes: size > 0 ? queueText.removeYesAll(size) : queueText.removeYes,
        isDangerous: true,
        word: size > 0 ? name : undefined,
      });
      if (!isSure) return false;
      try {
        await answer(
          api.DELETE("/api/v2/queues/{queue}", { params: { path: { queue: name }, query: { force: size > 0 } } }),
        );
        say.done(queueText.removed(name));
        return true;
      } catch (error) {
        say.failed(queueText.removeFailed(name), error);
        return false;
      }
    },
    [confirm, navigate],
  );
  return { setPaused, remove };
}

function Contents({ queue }: { queue: Queue }) {
  return (
    <Stack gap="xs">
      <Text size="sm">{queueText.removeFull(queue.size)}</Text>
      <List size="sm">
        {STATES.filter((state) => queue[state] > 0).map((state) => (
          <List.Item key={state}>
            {STATE_NAMES[state]}: {count(queue[state])}
          </List.Item>
        ))}
      </List>
    </Stack>
  );
}
