/** Redis itself, and what looking at it costs. */
import { Alert, Badge, Group, Paper, SimpleGrid, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { hinted } from "~/components/hints";
import { Moment } from "~/components/Moment";
import { Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { Select } from "~/components/selects";
import { command } from "~/lib/cli";
import { bytes, count, span } from "~/lib/format";
import { useSettings } from "~/lib/settings";
import { useLive } from "~/live/hooks";
import { redis as words } from "~/strings/redis";
import { Brokers } from "./Brokers";
import { Cluster } from "./Cluster";
import { Cost } from "./Cost";
import { linesWith, number, SKEW_SECONDS, together, warningsOf } from "./health";

const route = getRouteApi("/redis");

/** How often to ask again for what the stream does not tell; not at all while it is held still or unseen. */
export function useEvery(): number | false {
  const { pollSeconds } = useSettings();
  const isResting = useLive((live) => live.status === "paused" || live.status === "hidden");
  return isResting ? false : pollSeconds * 1000;
}

export default function Redis() {
  const every = useEvery();
  const { data: meta } = useQuery(metaQuery);
  const found = useQuery({
    queryKey: ["redis"],
    queryFn: ({ signal }) => answer(api.GET("/api/v2/redis", { signal })),
    refetchInterval: every,
  });
  const { data } = found;
  return (
    <>
      <PageHeader
        title={words.title}
        beside={data && meta && meta.brokers.length > 1 ? <Badge tt="none">{data.name}</Badge> : undefined}
        cli={[command("stats"), command("doctor")]}
        http={["GET /api/v2/redis", "GET /api/v2/cost"]}
      />
      <Stack gap="lg">
        {meta && meta.brokers.length > 1 && <Brokers meta={meta} every={every} />}
        {found.isError && <Failed error={found.error} again={() => void found.refetch()} />}
        {data ? (
          <>
            <Warnings data={data} />
            <Cards data={data} />
            {data.is_cluster && <Cluster redis={data} />}
          </>
        ) : (
          found.isPending && <Loading lines={6} />
        )}
        <Cost every={every} />
        {data && <Info redis={data} />}
      </Stack>
    </>
  );
}

function Warnings({ data }: { data: Schemas["Redis"] }) {
  const found = warningsOf(data);
  if (found.length === 0) {
    return (
      <Alert color="teal" icon={<IconCircleCheck />} py="xs">
        <Text size="sm">{words.fine}</Text>
      </Alert>
    );
  }
  return (
    <Stack gap="xs">
      {found.map((warning) => (
        <Alert
          key={warning.text}
          color={warning.isGrave ? "red" : "yellow"}
          icon={<IconAlertTriangle />}
          py="xs"
          data-grave={warning.isGrave}
        >
          <Text size="sm">{warning.text}</Text>
        </Alert>
      ))}
    </Stack>
  );
}

function Cards({ data }: { data: Schemas["Redis"] }) {
  const { clock_skew_seconds: skew } = data;
  const nodes = Object.values(data.nodes);
  const info = nodes.length > 0 ? together(nodes) : data.info;
  const { cards } = words;
  const plain = (name: string) => {
    const value = number(info, name);
    return value === undefined ? "–" : count(value);
  };
  const size = (name: string) => {
    const value = number(info, name);
    return value === undefined ? "–" : bytes(value);
  };
  const saved = number(info, "rdb_last_save_time");
  const limit = number(info, "maxmemory");
  const blocked = number(info, "blocked_clients") ?? 0;
  const valkey = info.valkey_version;
  const grid = (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm" component="section" aria-label={words.title}>
      <Card
        title={cards.version}
        note={cards.server(valkey ? "Valkey" : "Redis", info.server_mode ?? info.redis_mode ?? "")}
      >
        {valkey ?? info.redis_version ?? "–"}
      </Card>
      <Card title={cards.uptime}>
        {info.uptime_in_seconds === undefined ? "–" : span(Number(info.uptime_in_seconds))}
      </Card>
      <Card title={cards.memory} note={limit ? cards.of(bytes(limit)) : cards.unlimited}>
        {size("used_memory")}
      </Card>
      {info.used_memory_peak && <Card title={cards.peak}>{size("used_memory_peak")}</Card>}
      <Card title={cards.fragmentation} hint={words.hints.fragmentation}>
        {info.mem_fragmentation_ratio ?? "–"}
      </Card>
      <Card title={cards.clients} note={blocked > 0 ? cards.blocked(count(blocked)) : undefined}>
        {plain("connected_clients")}
      </Card>
      <Card title={cards.replicas}>{plain("connected_slaves")}</Card>
      <Card title={cards.lastSave} note={info.aof_enabled === "1" ? cards.appendOnly : undefined}>
        <Moment at={saved ? saved * 1000 : undefined} fallback={cards.never} />
      </Card>
      <Card title={cards.changes}>{plain("rdb_changes_since_last_save")}</Card>
      <Card title={cards.commands}>{plain("instantaneous_ops_per_sec")}</Card>
      <Card title={cards.skew} hint={words.hints.skew} color={Math.abs(skew) >= SKEW_SECONDS ? "red" : undefined}>
        {skew < 0 ? "−" : ""}
        {span(skew)}
      </Card>
    </SimpleGrid>
  );
  if (nodes.length === 0) return grid;
  return (
    <Stack gap="xs">
      {grid}
      <Text size="sm" c="dimmed">
        {words.mastersOf(count(nodes.length))}
      </Text>
    </Stack>
  );
}

/** One number with its name. */
export function Card({
  title,
  hint,
  note,
  color,
  children,
}: {
  title: string;
  hint?: string;
  note?: string;
  color?: string;
  children: ReactNode;
}) {
  const { density } = useSettings();
  return (
    <Paper withBorder p={density === "compact" ? "xs" : "md"} style={{ minWidth: 0 }}>
      <Text {...hinted(hint)} size="xs" c="dimmed" td={hint ? "underline dotted" : undefined}>
        {title}
      </Text>
      <Text fw={600} size="lg" c={color} component="div" style={{ overflowWrap: "anywhere" }}>
        {children}
      </Text>
      {note && (
        <Text size="xs" c="dimmed">
          {note}
        </Text>
      )}
    </Paper>
  );
}

function Info({ redis: { info: own, nodes } }: { redis: Schemas["Redis"] }) {
  const { find = "", node } = route.useSearch();
  const navigate = route.useNavigate();
  const addresses = Object.keys(nodes).sort();
  const chosen = node && node in nodes ? node : addresses[0];
  const info = (chosen && nodes[chosen]) || own;
  const lines = linesWith(info, find);
  return (
    <Stack gap="xs" component="section" aria-labelledby="info">
      <Group justify="space-between">
        <Title order={2} size="h4" id="info">
          {words.info}
        </Title>
        <Group gap="sm">
          <Text size="xs" c="dimmed" aria-live="polite">
            {words.infoShown(lines.length, Object.keys(info).length)}
          </Text>
          {chosen && (
            <Select
              size="xs"
              w={180}
              aria-label={words.ofNode}
              allowDeselect={false}
              data={addresses}
              value={chosen}
              onChange={(value) =>
                void navigate({
                  search: (now) => ({ ...now, node: value ?? undefined }),
                  replace: true,
                  resetScroll: false,
                })
              }
            />
          )}
          <TextInput
            size="xs"
            leftSection={<IconSearch size={14} />}
            placeholder={words.infoFind}
            aria-label={words.infoFind}
            value={find}
            onChange={(event) =>
              void navigate({
                search: { find: event.currentTarget.value || undefined, node },
                replace: true,
                resetScroll: false,
              })
            }
          />
        </Group>
      </Group>
      {lines.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.infoNone}
        </Text>
      ) : (
        <Paper withBorder mah={480} style={{ overflow: "auto" }} tabIndex={0} role="region" aria-labelledby="info">
          <Table fz="sm" verticalSpacing={3} aria-labelledby="info">
            <Table.Tbody>
              {lines.map(([name, value]) => (
                <Table.Tr key={name}>
                  <Table.Td className="mono" w="45%" style={{ overflowWrap: "anywhere" }}>
                    {name}
                  </Table.Td>
                  <Table.Td className="mono" style={{ overflowWrap: "anywhere" }}>
                    {value}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
    </Stack>
  );
}
