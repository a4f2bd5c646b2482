/** What can be done to a task, with questions before and messages after. */
import { Autocomplete, Button, Group, Menu, Modal, SegmentedControl, Stack, TextInput } from "@mantine/core";
import {
  IconArchive,
  IconArrowsRightLeft,
  IconCalendarTime,
  IconChevronDown,
  IconCopyPlus,
  IconPencil,
  IconPlayerPlay,
  IconPlayerStop,
  IconRepeat,
  IconTrash,
} from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ComponentType, useState } from "react";
import { type Action, answer, api, type TaskDetails } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { useConfirm } from "~/components/Confirm";
import { PayloadEditor } from "~/components/payload/PayloadEditor";
import { say } from "~/lib/say";
import { useQueues } from "~/live/hooks";
import { usePageActions } from "~/shell/pageActions";
import { ACTION_NAMES, common } from "~/strings/common";
import { task as words } from "~/strings/task";
import { duration, moment, momentText } from "./newTask";

const ICONS: Readonly<Record<Action, ComponentType<{ size?: number }>>> = {
  run: IconPlayerPlay,
  archive: IconArchive,
  delete: IconTrash,
  cancel: IconPlayerStop,
  edit: IconPencil,
  again: IconRepeat,
  move: IconArrowsRightLeft,
};
/** Those that stand outside of the menu, at most two of them. */
const FIRST: readonly Action[] = ["run", "cancel", "again", "edit"];

declare module "@tanstack/react-router" {
  interface HistoryState {
    /** The task that a new one is made from. */
    from?: { queue: string; id: string };
  }
}

export function Actions({ task }: { task: TaskDetails }) {
  const { data: meta } = useQuery(metaQuery);
  const client = useQueryClient();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const [open, setOpen] = useState<"edit" | "move" | "reschedule">();
  const path = { queue: task.queue, task_id: task.id };

  const act = useMutation({
    mutationFn: ({ action, toQueue }: { action: Exclude<Action, "edit">; toQueue?: string }) =>
      answer(
        api.POST("/api/v2/queues/{queue}/tasks/{task_id}/actions/{action}", {
          params: { path: { ...path, action } },
          body: toQueue ? { to_queue: toQueue } : undefined,
        }),
      ),
    onSuccess: async (copy, { action, toQueue }) => {
      if (copy) say.made(words.doneOf[action], copy);
      else say.done(words.doneOf[action]);
      if (action === "delete") {
        await navigate({ to: "/queues/$queue", params: { queue: task.queue }, search: { status: task.state } });
      } else if (action === "move" && toQueue) {
        await navigate({ to: "/queues/$queue/tasks/$taskId", params: { queue: toQueue, taskId: task.id } });
      } else {
        await client.invalidateQueries({ queryKey: ["task", task.queue, task.id] });
      }
    },
    onError: async (error, { action }) => {
      say.failed(words.refused(ACTION_NAMES[action]), error);
      await client.invalidateQueries({ queryKey: ["task", task.queue, task.id] });
    },
  });

  const start = async (action: Action) => {
    if (action === "edit" || action === "move") return setOpen(action);
    if (meta?.must_confirm.includes(action)) {
      const { title, body, yes } = words.confirm[action];
      if (!(await confirm({ title, body, yes, isDangerous: action === "delete" }))) return;
    }
    act.mutate({ action });
  };
  const clone = () => navigate({ to: "/new-task", search: {}, state: { from: { queue: task.queue, id: task.id } } });

  const first = FIRST.filter((action) => task.actions.includes(action)).slice(0, 2);
  const rest = task.actions.filter((action) => !first.includes(action) && action !== "delete");
  const mayClone = meta !== undefined && !meta.read_only && meta.user.permissions.includes("enqueue");
  usePageActions([
    ...task.actions.map((action) => ({ label: words.actionHere(ACTION_NAMES[action]), run: () => void start(action) })),
    ...(task.may_reschedule
      ? [{ label: words.actionHere(words.actions.reschedule), run: () => setOpen("reschedule") }]
      : []),
    ...(mayClone ? [{ label: words.actionHere(words.actions.clone), run: () => void clone() }] : []),
  ]);
  const hasMore = rest.length > 0 || task.actions.includes("delete") || task.may_reschedule || mayClone;
  return (
    <>
      {first.map((action, at) => {
        const Icon = ICONS[action];
        return (
          <Button
            key={action}
            size="sm"
            variant={action === "cancel" ? "light" : at === 0 ? "filled" : "default"}
            color={action === "cancel" ? "red" : undefined}
            leftSection={<Icon size={16} />}
            loading={act.isPending && act.variables.action === action}
            onClick={() => void start(action)}
          >
            {ACTION_NAMES[action]}
          </Button>
        );
      })}
      {hasMore && (
        <Menu position="bottom-end" width={240}>
          <Menu.Target>
            <Button size="sm" variant="default" rightSection={<IconChevronDown size={14} />}>
              {words.more}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {rest.map((action) => {
              const Icon = ICONS[action];
              return (
                <Menu.Item key={action} leftSection={<Icon size={16} />} onClick={() => void start(action)}>
                  {ACTION_NAMES[action]}
                </Menu.Item>
              );
            })}
            {task.may_reschedule && (
              <Menu.Item leftSection={<IconCalendarTime size={16} />} onClick={() => setOpen("reschedule")}>
                {words.actions.reschedule}
              </Menu.Item>
            )}
            {mayClone && (
              <Menu.Item leftSection={<IconCopyPlus size={16} />} onClick={() => void clone()}>
                {words.actions.clone}
              </Menu.Item>
            )}
            {task.actions.includes("delete") && (
              <>
                <Menu.Divider />
                <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => void start("delete")}>
                  {ACTION_NAMES.delete}
                </Menu.Item>
              </>
            )}
          </Menu.Dropdown>
        </Menu>
      )}
      <PayloadEditor task={task} isOpen={open === "edit"} close={() => setOpen(undefined)} />
      <Modal opened={open === "move"} onClose={() => setOpen(undefined)} title={words.move.title} centered>
        <Move
          task={task}
          close={() => setOpen(undefined)}
          move={(toQueue) => {
            setOpen(undefined);
            act.mutate({ action: "move", toQueue });
          }}
        />
      </Modal>
      <Modal opened={open === "reschedule"} onClose={() => setOpen(undefined)} title={words.reschedule.title} centered>
        <Reschedule task={task} close={() => setOpen(undefined)} />
      </Modal>
    </>
  );
}

function Move({ task, close, move }: { task: TaskDetails; close: () => void; move: (queue: string) => void }) {
  const [queue, setQueue] = useState("");
  const names = Object.keys(useQueues()).filter((name) => name !== task.queue);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (queue.trim()) move(queue.trim());
      }}
    >
      <Stack>
        <Autocomplete
          label={words.move.to}
          description={words.move.hint}
          data={names.sort()}
          limit={20}
          value={queue}
          onChange={setQueue}
          data-autofocus
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {common.cancel}
          </Button>
          <Button type="submit" disabled={!queue.trim() || queue.trim() === task.queue}>
            {words.move.yes}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Reschedule({ task, close }: { task: TaskDetails; close: () => void }) {
  const client = useQueryClient();
  const [how, setHow] = useState<"in" | "at">("in");
  const [delay, setDelay] = useState("15m");
  const [at, setAt] = useState(task.next_process_at ? momentText(task.next_process_at) : "");
  const body =
    how === "in" ? { process_in_seconds: duration(delay) } : { process_at: moment(at), process_in_seconds: undefined };
  const isValid = how === "in" ? body.process_in_seconds !== undefined : moment(at) !== undefined;
  const change = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v2/queues/{queue}/tasks/{task_id}/reschedule", {
          params: { path: { queue: task.queue, task_id: task.id } },
          body,
        }),
      ),
    onSuccess: () => {
      say.done(words.reschedule.done);
      close();
    },
    onError: (error) => say.failed(words.refused(words.actions.reschedule), error),
    onSettled: () => client.invalidateQueries({ queryKey: ["task", task.queue, task.id] }),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isValid) change.mutate();
      }}
    >
      <Stack>
        <SegmentedControl
          aria-label={words.reschedule.title}
          value={how}
          onChange={(value) => setHow(value as "in" | "at")}
          data={[
            { value: "in", label: words.reschedule.in },
            { value: "at", label: words.reschedule.at },
          ]}
        />
        {how === "in" ? (
          <TextInput
            label={words.reschedule.delay}
            description={words.reschedule.delayHint}
            value={delay}
            onChange={(event) => setDelay(event.currentTarget.value)}
            error={delay && duration(delay) === undefined ? words.create.badDuration : undefined}
            data-autofocus
          />
        ) : (
          <TextInput
            type="datetime-local"
            step={1}
            label={words.reschedule.moment}
            value={at}
            onChange={(event) => setAt(event.currentTarget.value)}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {common.cancel}
          </Button>
          <Button type="submit" disabled={!isValid} loading={change.isPending}>
            {words.reschedule.yes}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
