/** The cluster, and on which of its nodes queues are. */
import { Group, Paper, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ApiError, address, type Schemas } from "~/api/client";
import { DataTable } from "~/components/DataTable";
import { TextLink } from "~/components/links";
import { Failed, Loading } from "~/components/Notice";
import { bytes, count, span } from "~/lib/format";
import { redis as words } from "~/strings/redis";
import { number } from "./health";

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

export function Cluster({ redis: { cluster: facts, nodes } }: { redis: Schemas["Redis"] }) {
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
      <Paper withBorder>
        <DataTable
          label={words.masters}
          minWidth={640}
          columns={[
            { key: "address", text: words.master },
            { key: "uptime", text: words.cards.uptime, align: "right" },
            { key: "memory", text: words.cards.memory, align: "right" },
            { key: "clients", text: words.cards.clients, align: "right" },
            { key: "replicas", text: words.cards.replicas, align: "right" },
            { key: "changes", text: words.changesSinceSave, align: "right" },
            { key: "commands", text: words.cards.commands, align: "right" },
          ]}
        >
          {Object.keys(nodes)
            .sort()
            .map((address) => (
              <Master key={address} address={address} info={nodes[address] ?? {}} />
            ))}
        </DataTable>
      </Paper>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Paper withBorder p="md">
          <Text size="sm" fw={600} mb="xs">
            {words.facts}
          </Text>
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

function Master({ address: name, info }: { address: string; info: Readonly<Record<string, string>> }) {
  const plain = (fact: string, text: (value: number) => string = count) => {
    const value = number(info, fact);
    return <Table.Td ta="right">{value === undefined ? "–" : text(value)}</Table.Td>;
  };
  return (
    <Table.Tr>
      <Table.Td className="mono">
        {name}
        {Object.keys(info).length === 0 && (
          <Text size="xs" c="var(--mantine-color-red-light-color)">
            {words.noAnswer}
          </Text>
        )}
      </Table.Td>
      {plain("uptime_in_seconds", span)}
      {plain("used_memory", bytes)}
      {plain("connected_clients")}
      {plain("connected_slaves")}
      {plain("rdb_changes_since_last_save")}
      {plain("instantaneous_ops_per_sec")}
    </Table.Tr>
  );
}
