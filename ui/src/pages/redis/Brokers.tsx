/** Every Redis of this dashboard, each by itself: one that is down does not hide the others. */
import { Anchor, Badge, Group, Paper, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ApiError, answer, type Meta, type Schemas } from "~/api/client";
import { count, shortCount } from "~/lib/format";
import { common, STATE_NAMES } from "~/strings/common";
import { redis as words } from "~/strings/redis";

type QueuePage = Schemas["QueuePage"];

/** The sums over the queues below *path*, which is another dashboard than ours. */
function sumsOf(path: string, signal: AbortSignal): Promise<QueuePage> {
  const asked = fetch(`${path}/api/v2/queues?limit=1`, { signal }).then(async (response) => {
    const told = (await response.json().catch(() => undefined)) as QueuePage | undefined;
    return response.ok ? { data: told, response } : { error: told, response };
  });
  return answer(asked as Promise<{ data?: QueuePage; error?: unknown; response: Response }>);
}

export function Brokers({ meta, every }: { meta: Meta; every: number | false }) {
  return (
    <Stack gap="xs" component="section" aria-labelledby="brokers">
      <Title order={2} size="h4" id="brokers">
        {words.brokers.title}
      </Title>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
        {meta.brokers.map((broker) => (
          <One key={broker.name} broker={broker} isHere={broker.name === meta.broker} every={every} />
        ))}
      </SimpleGrid>
    </Stack>
  );
}

function One({ broker, isHere, every }: { broker: Schemas["Broker"]; isHere: boolean; every: number | false }) {
  const { data, error } = useQuery({
    queryKey: ["broker", broker.name],
    queryFn: ({ signal }) => sumsOf(broker.path, signal),
    refetchInterval: every,
    retry: false,
  });
  const isRefused = error instanceof ApiError && (error.status === 401 || error.status === 403);
  const [color, state] = error
    ? isRefused
      ? ["gray", words.brokers.refused]
      : ["red", words.brokers.down]
    : ["teal", words.brokers.up];
  return (
    <Paper withBorder p="md" component="article" aria-label={broker.name} data-broker={broker.name}>
      <Group justify="space-between" wrap="nowrap" mb="xs">
        <Group gap="xs" style={{ minWidth: 0 }}>
          <Anchor href={`${broker.path}/redis`} fw={600} aria-label={words.brokers.open(broker.name)} truncate>
            {broker.name}
          </Anchor>
          {isHere && (
            <Badge size="xs" variant="outline" tt="none">
              {words.brokers.here}
            </Badge>
          )}
        </Group>
        {(data || error) && (
          <Badge variant="dot" color={color} tt="none">
            {state}
          </Badge>
        )}
      </Group>
      {error ? (
        <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {error instanceof ApiError && error.status === 0 ? common.unreachable : error.message}
        </Text>
      ) : data ? (
        <>
          <Text size="sm" c="dimmed" mb={6}>
            {words.brokers.queues(count(data.total ?? 0), data.total === 1)}
          </Text>
          <Group gap="md">
            {(["pending", "active", "retry", "archived"] as const).map((name) => (
              <Stack gap={0} key={name}>
                <Text fw={600}>{shortCount(data.sums[name] ?? 0)}</Text>
                <Text size="xs" c="dimmed">
                  {STATE_NAMES[name]}
                </Text>
              </Stack>
            ))}
          </Group>
        </>
      ) : (
        <Skeleton height={48} />
      )}
    </Paper>
  );
}
