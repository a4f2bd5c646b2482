/** Short messages in the corner: what was done, and what was refused. */
import { notifications } from "@mantine/notifications";
import { common } from "~/strings/common";

const closeButtonProps = { "aria-label": common.close };

export const say = {
  done: (message: string) => notifications.show({ message, color: "teal", autoClose: 5_000, closeButtonProps }),
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
