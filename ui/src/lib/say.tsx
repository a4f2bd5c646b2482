/** Short messages in the corner: what was done, and what was refused. */
import { notifications } from "@mantine/notifications";
import { TextLink } from "~/components/links";
import { common } from "~/strings/common";

const closeButtonProps = { "aria-label": common.close };

export const say = {
  done: (message: string) => notifications.show({ message, color: "teal", autoClose: 5_000, closeButtonProps }),
  /** Done, and a new task came of it: there is time to follow the link to it. */
  made: (message: string, task: { queue: string; id: string }) => {
    const id = notifications.show({
      message: (
        <>
          {message}{" "}
          <TextLink
            to="/queues/$queue/tasks/$taskId"
            params={{ queue: task.queue, taskId: task.id }}
            size="sm"
            onClick={() => notifications.hide(id)}
          >
            {common.openTask}
          </TextLink>
        </>
      ),
      color: "teal",
      autoClose: 15_000,
      closeButtonProps,
    });
  },
  /** Something to know that nobody asked for. */
  note: (message: string) => notifications.show({ message, color: "blue", autoClose: 8_000, closeButtonProps }),
  /** Stays until it is closed: somebody must read it. */
  failed: (title: string, error: unknown) =>
    notifications.show({
      title,
      message: error instanceof Error ? error.message : String(error),
      color: "red",
      autoClose: false,
      closeButtonProps,
    }),
};
