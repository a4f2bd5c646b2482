/** Changes the payload of a task: write, look at what will change, save; tells when the task has changed meanwhile. */
import { Alert, Button, Group, Modal, Stack, Stepper, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { ApiError, answer, api, type TaskDetails } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { Failed, Loading } from "~/components/Notice";
import { say } from "~/lib/say";
import { common } from "~/strings/common";
import { task as words } from "~/strings/task";
import { areEqual, bytesOf, type Draft, largestPayload, toBase64 } from "./bytes";
import { compare } from "./compare";
import { Diff } from "./Diff";
import { draftOf, isTooLarge, type Misfit, misfitsOf, PayloadField } from "./PayloadField";
import { rawBytes } from "./PayloadViewer";

export interface PayloadEditorProps {
  task: TaskDetails;
  isOpen: boolean;
  close: () => void;
}

export function PayloadEditor({ task, isOpen, close }: PayloadEditorProps) {
  const isNarrow = useMediaQuery("(max-width: 48em)");
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={words.editor.title}
      size="xl"
      fullScreen={isNarrow}
      closeOnClickOutside={false}
    >
      <Loaded task={task} close={close} />
    </Modal>
  );
}

interface Stored {
  bytes: Uint8Array;
  etag: string | null;
}

/** The payload now. Its etag is asked for first, so that a change between the two is refused rather than lost. */
async function load(task: TaskDetails, signal?: AbortSignal): Promise<Stored> {
  const path = { queue: task.queue, task_id: task.id };
  const now = await answer(api.GET("/api/v2/queues/{queue}/tasks/{task_id}", { params: { path }, signal }));
  return { etag: now.payload_etag, bytes: await rawBytes("payload", task.queue, task.id, signal) };
}

function Loaded({ task, close }: { task: TaskDetails; close: () => void }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["task-edit", task.queue, task.id],
    queryFn: ({ signal }) => load(task, signal),
    staleTime: 0,
    gcTime: 0,
    refetchOnReconnect: false,
  });
  const [edition, setEdition] = useState(0);
  if (error) {
    const isHidden = error instanceof ApiError && error.status === 403;
    return <Failed error={error} title={isHidden ? words.editor.hidden : undefined} again={() => void refetch()} />;
  }
  if (!data) return <Loading />;
  const reload = async () => {
    await refetch();
    setEdition(edition + 1);
  };
  return <Editing key={edition} task={task} first={data} reload={reload} close={close} />;
}

interface EditingProps {
  task: TaskDetails;
  first: Stored;
  reload: () => Promise<void>;
  close: () => void;
}

function Editing({ task, first, reload, close }: EditingProps) {
  const client = useQueryClient();
  const [{ bytes: before, etag }, setBefore] = useState(first);
  const [draft, setDraft] = useState<Draft>(() => draftOf(first.bytes, words.payload.fileName(task.id)));
  const [isReviewing, setIsReviewing] = useState(false);
  const [isSaving, setIsSaving] = useState(false);
  const [misfits, setMisfits] = useState<Misfit[]>([]);
  const [refused, setRefused] = useState<unknown>();
  const [changed, setChanged] = useState<Stored>();
  const limit = useQuery(metaQuery).data?.limits.body_bytes;
  const largest = limit === undefined ? undefined : largestPayload(limit);
  const reading = bytesOf(draft);
  const isLarge = isTooLarge(reading.bytes, largest);
  const isSame = useMemo(() => reading.bytes !== undefined && areEqual(reading.bytes, before), [reading.bytes, before]);
  const compared = useMemo(
    () => (isReviewing && reading.bytes ? compare(before, reading.bytes) : undefined),
    [isReviewing, before, reading.bytes],
  );

  const change = (next: Draft) => {
    setDraft(next);
    setMisfits([]);
    setRefused(undefined);
  };

  const save = async () => {
    if (!reading.bytes) return;
    setIsSaving(true);
    setRefused(undefined);
    try {
      await answer(
        api.PUT("/api/v2/queues/{queue}/tasks/{task_id}/payload", {
          params: { path: { queue: task.queue, task_id: task.id }, header: { "if-match": etag } },
          // Bytes rather than a value: numbers beyond 2^53 and the order of keys stay as they were written.
          body: { payload_base64: toBase64(reading.bytes) },
        }),
      );
      await client.invalidateQueries({ queryKey: ["task", task.queue, task.id] });
      client.removeQueries({ queryKey: ["task-bytes", task.queue, task.id] });
      client.removeQueries({ queryKey: ["task-text", task.queue, task.id] });
      say.done(words.editor.saved);
      close();
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        await load(task).then(setChanged, setRefused);
        return;
      }
      const found = error instanceof ApiError && error.code === "payload_invalid" ? misfitsOf(error.problem) : [];
      setMisfits(found);
      if (found.length) setIsReviewing(false);
      else setRefused(error);
    } finally {
      setIsSaving(false);
    }
  };

  return (
    <Stack>
      <Stepper active={isReviewing ? 1 : 0} size="xs" allowNextStepsSelect={false} iconSize={24}>
        <Stepper.Step label={words.editor.write} />
        <Stepper.Step label={words.editor.review} />
      </Stepper>
      {task.payload.encodings.length > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle />}>
          {words.editor.encoded(task.payload.encodings.join(", "))}
        </Alert>
      )}
      {changed && (
        <Alert color="orange" icon={<IconAlertTriangle />} title={words.editor.changedTitle} role="alert">
          <Stack gap="xs">
            <Text size="sm">{words.editor.changedText}</Text>
            <Group gap="xs">
              <Button size="xs" variant="light" onClick={() => void reload()}>
                {words.editor.reload}
              </Button>
              <Button
                size="xs"
                variant="default"
                onClick={() => {
                  setBefore(changed);
                  setChanged(undefined);
                  setIsReviewing(true);
                }}
              >
                {words.editor.keep}
              </Button>
            </Group>
          </Stack>
        </Alert>
      )}
      {refused !== undefined && (
        <Failed
          error={refused}
          title={words.editor.refused}
          again={refused instanceof ApiError && [409, 412].includes(refused.status) ? () => void reload() : undefined}
        />
      )}
      {compared ? (
        compared.isSame ? (
          <Text c="dimmed">{words.editor.onlySpaces}</Text>
        ) : (
          <Diff {...compared} />
        )
      ) : (
        <PayloadField draft={draft} onChange={change} misfits={misfits} largest={largest} />
      )}
      <Group justify="flex-end">
        {isReviewing ? (
          <>
            <Button variant="default" onClick={() => setIsReviewing(false)}>
              {words.editor.back}
            </Button>
            <Button loading={isSaving} disabled={changed !== undefined || isSame} onClick={() => void save()}>
              {words.editor.save}
            </Button>
          </>
        ) : (
          <>
            <Button variant="default" onClick={close}>
              {common.cancel}
            </Button>
            <Button disabled={!reading.bytes || isSame || isLarge} onClick={() => setIsReviewing(true)}>
              {words.editor.toReview}
            </Button>
          </>
        )}
      </Group>
    </Stack>
  );
}
