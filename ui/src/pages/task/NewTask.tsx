/** A new task: written by hand, or made from another one; tells how Python and the command line do the same. */
import {
  ActionIcon,
  Alert,
  Autocomplete,
  Button,
  Card,
  Code,
  Grid,
  Group,
  Input,
  NumberInput,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate, useRouterState } from "@tanstack/react-router";
import { type ReactNode, useMemo, useState } from "react";
import { ApiError, answer, api, type Queue, type Schemas, type TaskDetails } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { CopyButton } from "~/components/CopyButton";
import { Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { bytesOf, type Draft, largestPayload } from "~/components/payload/bytes";
import { draftOf, isTooLarge, type Misfit, misfitsOf, PayloadField } from "~/components/payload/PayloadField";
import { rawBytes } from "~/components/payload/PayloadViewer";
import { redisOptions } from "~/lib/cli";
import { say } from "~/lib/say";
import { useIsLoaded, useLive, useQueues } from "~/live/hooks";
import { task as words } from "~/strings/task";
import { TaskLink } from "./links";
import { bodyOf, commandOf, durationText, EMPTY, problemsOf, programOf, type TaskForm } from "./newTask";

const route = getRouteApi("/new-task");
const create = words.create;

interface Original {
  task: TaskDetails;
  payload?: Draft;
}

export default function NewTask() {
  const { queue, type } = route.useSearch();
  const from = useRouterState({ select: (state) => state.location.state.from });
  const { data, error, refetch } = useQuery({
    queryKey: ["task-original", from?.queue, from?.id],
    queryFn: ({ signal }) => original(from?.queue ?? "", from?.id ?? "", signal),
    enabled: from !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const { data: meta } = useQuery(metaQuery);
  const isLoaded = useIsLoaded();
  const usual = useLive((live) => firstQueue(live.queues));
  const title = from ? create.cloneTitle : create.title;
  const header = <PageHeader title={title} crumbs={[{ text: words.crumbTasks, to: "/tasks" }]} />;
  if (error) {
    return (
      <>
        {header}
        <Failed error={error} again={() => void refetch()} />
      </>
    );
  }
  if (!meta || (from ? !data : !queue && !isLoaded)) {
    return (
      <>
        {header}
        <Loading />
      </>
    );
  }
  if (meta.read_only || !meta.user.permissions.includes("enqueue")) {
    return (
      <>
        {header}
        <Alert color="gray">{create.forbidden}</Alert>
      </>
    );
  }
  const start = data
    ? formOf(data)
    : { ...EMPTY, queue: queue ?? usual ?? (meta.user.queues.includes("*") ? EMPTY.queue : ""), type: type ?? "" };
  return <Writing key={from ? `${from.queue}/${from.id}` : "new"} title={title} start={start} from={data} />;
}

/** Where somebody most likely puts a task: the default queue if it is theirs, or the first that is. */
function firstQueue(queues: Readonly<Record<string, Queue>>): string | undefined {
  const mine = Object.values(queues).filter((each) => each.permissions.includes("enqueue"));
  const names = mine.map((each) => each.queue).sort();
  return names.includes(EMPTY.queue) ? EMPTY.queue : names[0];
}

async function original(queue: string, id: string, signal: AbortSignal): Promise<Original> {
  const path = { queue, task_id: id };
  const task = await answer(api.GET("/api/v2/queues/{queue}/tasks/{task_id}", { params: { path }, signal }));
  if (task.payload_etag === null) return { task };
  const bytes = await rawBytes("payload", queue, id, signal);
  return { task, payload: draftOf(bytes, words.payload.fileName(id)) };
}

/** A task anew: what it was enqueued with, but for its id and its lock. */
function formOf({ task, payload }: Original): TaskForm {
  const seconds = (value: number) => (value > 0 && value <= 10 ** 9 ? durationText(value) : "");
  return {
    ...EMPTY,
    type: task.type,
    queue: task.queue,
    payload: payload ?? EMPTY.payload,
    maxRetry: String(task.max_retry),
    timeout: seconds(task.timeout_seconds),
    retention: seconds(task.retention_seconds),
    group: task.group,
    headers: Object.entries(task.headers).map(([name, value]) => ({ name, value })),
  };
}

interface WritingProps {
  title: string;
  start: TaskForm;
  from?: Original;
}

function Writing({ title, start, from }: WritingProps) {
  const navigate = useNavigate();
  const [form, setForm] = useState(start);
  const [wasTried, setWasTried] = useState(false);
  const [misfits, setMisfits] = useState<Misfit[]>([]);
  const queues = useQueues();
  const { data: meta } = useQuery(metaQuery);
  const redis = redisOptions(meta);
  const types = useQuery({
    queryKey: ["types"],
    queryFn: ({ signal }) => answer(api.GET("/api/v2/types", { params: { query: { limit: 1000 } }, signal })),
    staleTime: 30_000,
  });
  const known = useMemo(
    () => [...new Set((types.data?.items ?? []).map((each) => each.pattern).filter(Boolean))].sort(),
    [types.data],
  );
  const schema = schemaOf(types.data?.items ?? [], form.type.trim(), form.queue.trim());
  const problems = problemsOf(form);
  const reading = bytesOf(form.payload);
  const limit = useQuery(metaQuery).data?.limits.body_bytes;
  const largest = limit === undefined ? undefined : largestPayload(limit, bodyOf({ ...form, payload: EMPTY.payload }));
  const isLarge = isTooLarge(reading.bytes, largest);
  const isValid = Object.keys(problems).length === 0 && reading.bytes !== undefined && !isLarge;

  const change = (parts: Partial<TaskForm>) => {
    setForm({ ...form, ...parts });
    if (parts.payload) setMisfits([]);
    if (enqueue.isError) enqueue.reset();
  };
  const field = (name: "delay" | "moment" | "timeout" | "deadline" | "retention" | "unique" | "group" | "id") => ({
    value: form[name],
    onChange: (event: { currentTarget: { value: string } }) => change({ [name]: event.currentTarget.value }),
    error:
      problems[name] && (wasTried || form[name] !== "")
        ? problems[name] === "duration"
          ? create.badDuration
          : create.badMoment
        : undefined,
    autoComplete: "off",
  });
  const enqueue = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v2/queues/{queue}/tasks", {
          params: { path: { queue: form.queue.trim() } },
          body: bodyOf(form),
        }),
      ),
    onSuccess: async (task) => {
      say.done(create.done(task.type));
      await navigate({ to: "/queues/$queue/tasks/$taskId", params: { queue: task.queue, taskId: task.id } });
    },
    onError: (error) => setMisfits(error instanceof ApiError ? misfitsOf(error.problem) : []),
  });
  const holder = enqueue.error instanceof ApiError && enqueue.error.status === 409 ? enqueue.error.problem : undefined;

  return (
    <>
      <PageHeader
        title={title}
        crumbs={[
          { text: words.crumbTasks, to: "/tasks" },
          ...(form.queue ? [{ text: form.queue, to: "/queues/$queue", params: { queue: form.queue } }] : []),
        ]}
        beside={
          from && (
            <Text size="sm" c="dimmed">
              {create.from}{" "}
              <TaskLink queue={from.task.queue} taskId={from.task.id} size="sm" className="mono">
                {from.task.id}
              </TaskLink>
            </Text>
          )
        }
      />
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setWasTried(true);
          if (isValid) enqueue.mutate();
        }}
      >
        <Grid gap="lg">
          <Grid.Col span={{ base: 12, md: 7 }}>
            <Stack gap="lg">
              <Card withBorder component="section">
                <Stack gap="md">
                  <SimpleGrid cols={{ base: 1, xs: 2 }}>
                    <Autocomplete
                      label={create.type}
                      description={create.typeHint}
                      data={known}
                      limit={20}
                      required
                      value={form.type}
                      onChange={(type) => change({ type })}
                      error={wasTried && problems.type ? create.typeMissing : undefined}
                    />
                    <Autocomplete
                      label={create.queue}
                      description={create.queueHint}
                      data={Object.keys(queues).sort()}
                      limit={20}
                      required
                      value={form.queue}
                      onChange={(queue) => change({ queue })}
                      error={wasTried && problems.queue ? create.queueMissing : undefined}
                    />
                  </SimpleGrid>
                  <Stack gap={4}>
                    <Input.Label component="div">{create.payload}</Input.Label>
                    {from && !from.payload && (
                      <Alert color="yellow" p="xs">
                        {create.partlyHidden}
                      </Alert>
                    )}
                    <PayloadField
                      draft={form.payload}
                      onChange={(payload) => change({ payload })}
                      misfits={misfits}
                      largest={largest}
                      rows={8}
                    />
                    {schema && <Expected schema={schema} />}
                  </Stack>
                </Stack>
              </Card>
              <Card withBorder component="section">
                <Title order={2} size="h5">
                  {create.options}
                </Title>
                <Text size="xs" c="dimmed" mb="md">
                  {create.optionsHint}
                </Text>
                <Stack gap="md">
                  <Group align="flex-end" gap="md">
                    <Input.Wrapper label={create.when} labelElement="div" display="grid">
                      <SegmentedControl
                        size="xs"
                        aria-label={create.when}
                        value={form.when}
                        onChange={(when) => change({ when: when as TaskForm["when"] })}
                        data={(["now", "in", "at"] as const).map((each) => ({
                          value: each,
                          label: create.whens[each],
                        }))}
                      />
                    </Input.Wrapper>
                    {form.when === "in" && (
                      <TextInput label={create.delay} placeholder="15m" {...field("delay")} flex={1} miw={140} />
                    )}
                    {form.when === "at" && (
                      <TextInput
                        type="datetime-local"
                        step={1}
                        label={create.moment}
                        {...field("moment")}
                        flex={1}
                        miw={200}
                      />
                    )}
                  </Group>
                  <SimpleGrid cols={{ base: 1, xs: 2 }}>
                    <NumberInput
                      label={create.maxRetry}
                      placeholder={create.defaults.maxRetry}
                      min={0}
                      max={2_147_483_647}
                      allowDecimal={false}
                      clampBehavior="strict"
                      value={form.maxRetry}
                      onChange={(value) => change({ maxRetry: String(value) })}
                    />
                    <TextInput
                      label={create.timeout}
                      description={create.timeoutHint}
                      inputWrapperOrder={["label", "input", "description", "error"]}
                      placeholder={create.defaults.timeout}
                      {...field("timeout")}
                    />
                    <TextInput
                      label={create.retention}
                      description={create.retentionHint}
                      inputWrapperOrder={["label", "input", "description", "error"]}
                      placeholder={create.defaults.retention}
                      {...field("retention")}
                    />
                    <TextInput
                      type="datetime-local"
                      step={1}
                      label={create.deadline}
                      description={create.deadlineHint}
                      inputWrapperOrder={["label", "input", "description", "error"]}
                      {...field("deadline")}
                    />
                    <TextInput
                      label={create.unique}
                      description={create.uniqueHint}
                      inputWrapperOrder={["label", "input", "description", "error"]}
                      {...field("unique")}
                    />
                    <TextInput
                      label={create.group}
                      description={create.groupHint}
                      inputWrapperOrder={["label", "input", "description", "error"]}
                      {...field("group")}
                    />
                    <TextInput
                      label={create.id}
                      description={create.idHint}
                      inputWrapperOrder={["label", "input", "description", "error"]}
                      placeholder={create.defaults.id}
                      {...field("id")}
                    />
                  </SimpleGrid>
                  <Headers headers={form.headers} onChange={(headers) => change({ headers })} />
                </Stack>
              </Card>
              {enqueue.error && misfits.length === 0 && (
                <Stack gap="xs">
                  <Failed error={enqueue.error} title={create.refused} />
                  {holder && typeof holder.task_id === "string" && (
                    <TaskLink queue={form.queue} taskId={holder.task_id} size="sm">
                      {create.holder}
                    </TaskLink>
                  )}
                </Stack>
              )}
              <Group>
                <Button type="submit" loading={enqueue.isPending} disabled={wasTried && !isValid}>
                  {create.submit}
                </Button>
              </Group>
            </Stack>
          </Grid.Col>
          <Grid.Col span={{ base: 12, md: 5 }}>
            <Card withBorder component="section" style={{ position: "sticky", top: 72 }}>
              <Title order={2} size="h5" mb="xs">
                {create.equivalents}
              </Title>
              <Stack gap="md">
                <Snippet title={create.python} text={programOf(form, redis && meta?.redis_url)} />
                <Snippet title={create.cli} text={commandOf(form, redis)} />
              </Stack>
            </Card>
          </Grid.Col>
        </Grid>
      </form>
    </>
  );
}

/** The schema of the most fitting pattern; one whose servers serve the queue before others. */
function schemaOf(types: readonly Schemas["TaskType"][], type: string, queue: string) {
  if (!type) return undefined;
  const fitting = types
    .filter((each) => each.payload_schema && each.pattern && type.startsWith(each.pattern))
    .sort((one, other) => other.pattern.length - one.pattern.length);
  return (fitting.find((each) => each.queues.includes(queue)) ?? fitting[0])?.payload_schema ?? undefined;
}

function Expected({ schema }: { schema: Record<string, unknown> }) {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, { type?: unknown; anyOf?: unknown }>);
  const required = new Set(Array.isArray(schema.required) ? schema.required.map(String) : []);
  if (properties.length === 0) return null;
  return (
    <Group gap="xs" fz="xs">
      <Text size="xs" c="dimmed">
        {create.schema}:
      </Text>
      {properties.map(([name, each]) => (
        <Text key={name} size="xs" className="mono">
          {name}
          {typeof each.type === "string" && `: ${each.type}`}
          {required.has(name) && ` (${create.required})`}
        </Text>
      ))}
    </Group>
  );
}

interface HeadersProps {
  headers: TaskForm["headers"];
  onChange: (headers: TaskForm["headers"]) => void;
}

function Headers({ headers, onChange }: HeadersProps) {
  const change = (at: number, parts: Partial<TaskForm["headers"][number]>) =>
    onChange(headers.map((each, i) => (i === at ? { ...each, ...parts } : each)));
  return (
    <Stack gap="xs">
      <Text size="sm" fw={500}>
        {create.headers}
      </Text>
      {headers.map((each, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: names change while they are typed
        <Group key={at} gap="xs" wrap="nowrap">
          <TextInput
            aria-label={`${create.header} ${at + 1}`}
            placeholder={create.header}
            value={each.name}
            onChange={(event) => change(at, { name: event.currentTarget.value })}
            flex={1}
          />
          <TextInput
            aria-label={`${create.value} ${at + 1}`}
            placeholder={create.value}
            value={each.value}
            onChange={(event) => change(at, { value: event.currentTarget.value })}
            flex={2}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`${create.removeHeader} ${at + 1}`}
            onClick={() => onChange(headers.filter((_, i) => i !== at))}
          >
            <IconX size={16} />
          </ActionIcon>
        </Group>
      ))}
      <Group>
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<IconPlus size={14} />}
          onClick={() => onChange([...headers, { name: "", value: "" }])}
        >
          {create.addHeader}
        </Button>
      </Group>
    </Stack>
  );
}

const LONGEST_SNIPPET = 4_000;

function Snippet({ title, text }: { title: ReactNode & string; text: string }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between">
        <Text size="xs" fw={600} c="dimmed">
          {title}
        </Text>
        <CopyButton value={text} label={title} />
      </Group>
      <Code block tabIndex={0} style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere", maxHeight: 360 }}>
        {text.length > LONGEST_SNIPPET
          ? `${text.slice(0, LONGEST_SNIPPET)} ${words.payload.more(String(text.length - LONGEST_SNIPPET))}`
          : text}
      </Code>
    </Stack>
  );
}
