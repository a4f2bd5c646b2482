/** The cluster, and on which of its nodes queues are. */
import { Group, Paper, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ApiError, address } from "~/api/client";
import { DataTable } from "~/components/DataTable";
import { TextLink } from "~/components/links";
import { Failed, Loading } from "~/components/Notice";
import { count } from "~/lib/format";
import { redis as words } from "~/strings/redis";

interface Location {
  queue: string;
  keyslot: number;
  nodes: string[];
}

/** The first API knows where queues are. */
async function locations(signal: AbortSignal): Promise<Location[]> {
  const response = await fetch(address`/api/redis_info`, { signal });
  if (!response.ok) throw new ApiError(response.status, "redis_info", await response.text());
  const told = (await response.json()) as { queue_locations: Location[] | null };
  return (told.queue_locations ?? []).toSorted((a, b) => (a.queue < b.queue ? -1 : 1));
}

export function Cluster({ facts }: { facts: Readonly<Record<string, string>> }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["redis", "locations"],
    queryFn: ({ signal }) => locations(signal),
    staleTime: 30_000,
  });
  return (
    <Stack gap="xs" component="section" aria-labelledby="cluster">
      <Title order={2} size="h4" id="cluster">
        {words.cluster}
      </Title>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Paper withBorder p="md">
          {Object.entries(facts).map(([name, value]) => (
            <Group key={name} justify="space-between" gap="sm" wrap="nowrap">
              <Text size="sm" className="mono" style={{ overflowWrap: "anywhere" }}>
                {name}
              </Text>
              <Text size="sm" className="mono">
                {value}
              </Text>
            </Group>
          ))}
        </Paper>
        <Paper
          withBorder
          p="md"
          mah={420}
          style={{ overflow: "auto" }}
          tabIndex={0}
          role="region"
          aria-label={words.locations}
        >
          <Text size="sm" fw={600} mb="xs">
            {words.locations}
          </Text>
          {error ? (
            <Failed error={error} again={() => void refetch()} />
          ) : data ? (
            <DataTable
              label={words.locations}
              minWidth={300}
              columns={[
                { key: "queue", text: words.queue },
                { key: "slot", text: words.slot, align: "right" },
                { key: "nodes", text: words.nodes },
              ]}
            >
              {data.map(({ queue, keyslot, nodes }) => (
                <Table.Tr key={queue}>
                  <Table.Td>
                    <TextLink to="/queues/$queue" params={{ queue }} size="sm">
                      {queue}
                    </TextLink>
                  </Table.Td>
                  <Table.Td ta="right">{count(keyslot)}</Table.Td>
                  <Table.Td className="mono">{nodes.join(", ")}</Table.Td>
                </Table.Tr>
              ))}
            </DataTable>
          ) : (
            <Loading lines={3} />
          )}
        </Paper>
      </SimpleGrid>
    </Stack>
  );
}
