/** The buttons at the end of a task's row. */
import { ActionIcon, Group, Menu } from "@mantine/core";
import {
  IconArchive,
  IconCopyPlus,
  IconDotsVertical,
  IconPlayerPlay,
  IconPlayerStop,
  IconTrash,
} from "@tabler/icons-react";
import type { Task } from "~/api/client";
import type { BulkRequest } from "~/components/BulkDialog";
import { hinted } from "~/components/hints";
import { VERBS, tasks as words } from "~/strings/tasks";
import { SIMPLE, type SimpleAction } from "./useAct";

const ICONS: Readonly<Record<SimpleAction, typeof IconTrash>> = {
  run: IconPlayerPlay,
  again: IconCopyPlus,
  archive: IconArchive,
  cancel: IconPlayerStop,
  delete: IconTrash,
};

export function RowActions({
  task,
  act,
  onMenu,
  onMove,
}: {
  task: Task;
  act: (action: SimpleAction, task: Task) => Promise<void>;
  onMenu: (isOpen: boolean) => void;
  onMove: (request: BulkRequest) => void;
}) {
  const simple = SIMPLE.filter((action) => task.actions.includes(action));
  const shown = simple.length > 3 ? simple.filter((action) => action !== "again") : simple;
  const canMove = task.actions.includes("move");
  if (simple.length === 0 && !canMove) return null;
  return (
    <Group gap={2} wrap="nowrap" justify="flex-end">
      {shown.map((action) => {
        const Icon = ICONS[action];
        return (
          <ActionIcon
            key={action}
            {...hinted(VERBS[action])}
            variant="subtle"
            color={action === "delete" ? "red" : "gray"}
            size="sm"
            aria-label={words.of(action, task.id)}
            onClick={() => void act(action, task)}
          >
            <Icon size={15} />
          </ActionIcon>
        );
      })}
      {(canMove || shown.length < simple.length) && (
        <Menu position="bottom-end" onChange={onMenu}>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label={words.more(task.id)}>
              <IconDotsVertical size={15} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {simple.map((action) => (
              <Menu.Item
                key={action}
                color={action === "delete" ? "red" : undefined}
                onClick={() => void act(action, task)}
              >
                {VERBS[action]}
              </Menu.Item>
            ))}
            {canMove && (
              <Menu.Item onClick={() => onMove({ action: "move", tasks: [{ queue: task.queue, id: task.id }] })}>
                {VERBS.move} …
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}
