/** What happened to a task, its failed attempts, and the retries to come. */
import { Accordion, Badge, Card, Code, Grid, Group, Stack, Text, Timeline, Title } from "@mantine/core";
import {
  IconAlertTriangle,
  IconArchive,
  IconCheck,
  IconClock,
  IconInbox,
  IconPlayerPlay,
  IconSkull,
  IconTrash,
} from "@tabler/icons-react";
import type { ComponentType } from "react";
import type { Schemas, TaskDetails } from "~/api/client";
import { CopyButton } from "~/components/CopyButton";
import { Moment } from "~/components/Moment";
import { count, span } from "~/lib/format";
import { visibleText } from "~/lib/visible";
import { task as words } from "~/strings/task";
import styles from "./task.module.css";

type Happening = Schemas["HistoryEvent"]["event"];
const ICONS: Readonly<Record<Happening, ComponentType<{ size?: number }>>> = {
  pending: IconInbox,
  started: IconPlayerPlay,
  failed: IconAlertTriangle,
  lost: IconSkull,
  completed: IconCheck,
  archived: IconArchive,
  due: IconClock,
};
const COLORS: Readonly<Record<Happening, string>> = {
  pending: "blue",
  started: "teal",
  failed: "orange",
  lost: "red",
  completed: "green",
  archived: "red",
  due: "gray",
};

export function History({ task, readAt }: { task: TaskDetails; readAt: number }) {
  const past = task.history.filter((each) => each.event !== "due").length;
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, md: 5 }}>
        <Stack gap="lg">
          <Card withBorder component="section">
            <Title order={2} size="h5" mb="md">
              {words.history.title}
            </Title>
            {task.history.length === 0 && !task.expires_at ? (
              <Text size="sm" c="dimmed">
                {words.history.none}
              </Text>
            ) : (
              <Timeline bulletSize={24} lineWidth={2} active={past - 1}>
                {task.history.map((each) => {
                  const Icon = ICONS[each.event];
                  return (
                    <Timeline.Item
                      key={`${each.at} ${each.event}`}
                      color={COLORS[each.event]}
                      bullet={<Icon size={13} />}
                      lineVariant={each.event === "due" ? "dashed" : "solid"}
                      title={eventName(each.event, task)}
                    >
                      <Text size="sm" c="dimmed">
                        <Moment at={each.at} />
                      </Text>
                      {each.text && (
                        <Text size="sm" lineClamp={3} style={{ overflowWrap: "anywhere" }}>
                          {each.text}
                        </Text>
                      )}
                    </Timeline.Item>
                  );
                })}
                {task.expires_at && (
                  <Timeline.Item bullet={<IconTrash size={13} />} title={words.history.expires}>
                    <Text size="sm" c="dimmed">
                      <Moment at={task.expires_at} />
                    </Text>
                  </Timeline.Item>
                )}
              </Timeline>
            )}
          </Card>
          <Card withBorder component="section">
            <Title order={2} size="h5">
              {words.history.retries}
            </Title>
            {task.retry_preview.length === 0 ? (
              <Text size="sm" c="dimmed">
                {words.history.noRetries}
              </Text>
            ) : (
              <>
                <Text size="xs" c="dimmed" mb="xs">
                  {words.history.retriesHint}
                </Text>
                <dl className={styles.facts}>
                  {task.retry_preview.map((seconds, at) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: their order is their name
                    <Retry key={at} number={firstRetry(task) + at} at={readAt + seconds * 1000} />
                  ))}
                </dl>
              </>
            )}
          </Card>
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 7 }}>
        <Card withBorder component="section">
          <Title order={2} size="h5">
            {words.history.attempts}
          </Title>
          <Text size="xs" c="dimmed" mb="xs">
            {words.history.attemptsHint}
          </Text>
          {task.attempts.length === 0 ? (
            <Text size="sm" c="dimmed">
              {words.history.noAttempts}
            </Text>
          ) : (
            <Attempts attempts={task.attempts} />
          )}
        </Card>
      </Grid.Col>
    </Grid>
  );
}

const eventName = (event: Happening, task: TaskDetails): string =>
  event === "due" && (task.state === "retry" || task.state === "scheduled")
    ? words.history.due[task.state]
    : words.history.events[event];

/** A task in retry has counted the retry that it waits for. */
const firstRetry = (task: TaskDetails) => (task.state === "retry" ? Math.max(1, task.retried) : task.retried + 1);

function Retry({ number, at }: { number: number; at: number }) {
  return (
    <>
      <dt>{words.history.retry(count(number))}</dt>
      <dd>
        <Moment at={at} />
      </dd>
    </>
  );
}

function Attempts({ attempts }: { attempts: readonly Schemas["FailedAttempt"][] }) {
  const newest = [...attempts].reverse();
  return (
    <Accordion defaultValue={newest[0]?.failed_at} chevronPosition="left">
      {newest.map((each) => (
        <Accordion.Item key={each.failed_at} value={each.failed_at}>
          <Accordion.Control>
            <Stack gap={2}>
              <Group gap="xs">
                <Text size="sm" fw={600}>
                  {each.retried === null ? words.history.events.failed : words.history.attempt(count(each.retried + 1))}
                </Text>
                {each.is_lost && (
                  <Badge color="red" variant="light" size="sm" tt="none">
                    {words.history.lost}
                  </Badge>
                )}
                <Text size="xs" c="dimmed">
                  <Moment at={each.failed_at} />
                  {each.seconds !== null && `, ${words.history.ran(span(each.seconds))}`}
                  {each.worker && ` ${words.history.on(each.worker)}`}
                  {each.app_version && `, ${words.history.version(each.app_version)}`}
                </Text>
              </Group>
              <Text size="sm" lineClamp={1} style={{ overflowWrap: "anywhere" }}>
                {each.error}
              </Text>
            </Stack>
          </Accordion.Control>
          <Accordion.Panel>
            <ErrorText error={each.error} traceback={each.traceback} />
          </Accordion.Panel>
        </Accordion.Item>
      ))}
    </Accordion>
  );
}

/** An error in full and its traceback, both to be copied. */
export function ErrorText({ error, traceback }: { error: string; traceback: string }) {
  return (
    <Stack gap="xs">
      <Group gap="xs" wrap="nowrap" align="flex-start">
        <Text className={styles.error} flex={1}>
          {visibleText(error)}
        </Text>
        <CopyButton value={error} label={words.error.title.toLowerCase()} />
      </Group>
      {traceback && (
        <>
          <Group gap="xs" justify="space-between">
            <Text size="xs" fw={600} c="dimmed">
              {words.error.traceback}
            </Text>
            <CopyButton value={traceback} label={words.error.traceback.toLowerCase()} />
          </Group>
          <Code block className={styles.traceback} tabIndex={0} aria-label={words.error.traceback}>
            {visibleText(traceback)}
          </Code>
        </>
      )}
    </Stack>
  );
}
