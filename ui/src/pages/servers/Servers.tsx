/** Who works on what. */
import { Alert, Badge, Code, Group, Paper, RingProgress, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconServerOff } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactNode, useCallback, useMemo } from "react";
import { type Column, FindTable } from "~/components/DataTable";
import { ButtonLink, TextLink } from "~/components/links";
import { Empty, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { command } from "~/lib/cli";
import { count } from "~/lib/format";
import { useIsLoaded, useQueues, useServers } from "~/live/hooks";
import type { ServerSearch } from "~/routes";
import { servers as words } from "~/strings/servers";
import { type Fleet, fleetOf, listed, nameOf, waitingIn } from "./fleet";
import { ServerRow } from "./ServerRow";

const route = getRouteApi("/servers");

const COLUMNS: Column[] = [
  { key: "open", text: "", width: 36 },
  { key: "server", text: words.columns.server, isSortable: true },
  { key: "speaks", text: words.columns.speaks, isSortable: true },
  { key: "status", text: words.columns.status, isSortable: true },
  { key: "started", text: words.columns.started, isSortable: true },
  { key: "queues", text: words.columns.queues, isSortable: true },
  { key: "busy", text: words.columns.busy, isSortable: true, width: 150 },
];

export default function Servers() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isLoaded = useIsLoaded();
  const live = useServers();
  const all = useMemo(() => Object.values(live), [live]);
  const queues = useQueues();
  const fleet = useMemo(() => fleetOf(all, Object.values(queues)), [all, queues]);
  const rows = useMemo(() => listed(all, search), [all, search]);
  const change = useCallback(
    (parts: Partial<ServerSearch>) => void navigate({ search: (before) => ({ ...before, ...parts }), replace: true }),
    [navigate],
  );
  const toggle = useCallback((server: string | undefined) => change({ server }), [change]);
  const isGone = search.server !== undefined && !all.some((server) => server.id === search.server);

  return (
    <>
      <PageHeader
        title={words.title}
        cli={[command("server", "ls"), command("server", "ls", "--workers")]}
        http={["GET /api/v2/servers"]}
      />
      {!isLoaded ? (
        <Loading lines={6} />
      ) : (
        <Stack gap="md">
          {all.length > 0 && <Summary fleet={fleet} n={all.length} />}
          <Warnings fleet={fleet} />
          {isGone && (
            <Alert color="yellow" title={words.goneTitle}>
              <Stack gap="xs" align="flex-start">
                <Text size="sm">{words.goneText}</Text>
                <ButtonLink to="/servers" size="xs" variant="light" color="yellow">
                  {words.goneClose}
                </ButtonLink>
              </Stack>
            </Alert>
          )}
          {all.length === 0 ? (
            <Empty title={words.noneTitle} icon={<IconServerOff size={26} />}>
              {words.noneText} <Code>{command("worker", "MODULE:MUX")}</Code>
            </Empty>
          ) : (
            <FindTable
              label={words.list}
              find={words.find}
              none={words.none}
              columns={COLUMNS}
              minWidth={860}
              sort="server"
              open={search.server}
              search={search}
              change={change}
            >
              {rows.map((server) => (
                <ServerRow
                  key={server.id}
                  server={server}
                  isOpen={server.id === search.server}
                  toggle={toggle}
                  columns={COLUMNS.length}
                />
              ))}
            </FindTable>
          )}
        </Stack>
      )}
    </>
  );
}

function Summary({ fleet, n }: { fleet: Fleet; n: number }) {
  const share = fleet.slots ? (fleet.busy / fleet.slots) * 100 : 0;
  return (
    <Paper withBorder p="md" component="section" aria-label={words.fleet.title}>
      <Group gap="12px 40px">
        <Stack gap={4}>
          <Text fw={600}>{words.fleet.servers(count(n), n === 1)}</Text>
          <Group gap={6}>
            {fleet.python > 0 && (
              <Badge variant="light" color="blue" tt="none">
                {words.fleet.python(count(fleet.python))}
              </Badge>
            )}
            {fleet.other > 0 && (
              <Badge variant="light" color="cyan" tt="none">
                {words.fleet.go(count(fleet.other))}
              </Badge>
            )}
          </Group>
          {fleet.python > 0 && fleet.other > 0 && (
            <Text size="xs" c="dimmed">
              {words.fleet.mixed}
            </Text>
          )}
        </Stack>
        <Group gap="xs" wrap="nowrap">
          <RingProgress
            size={52}
            thickness={6}
            sections={[{ value: share, color: share >= 100 ? "orange" : "teal" }]}
            aria-hidden
          />
          <div>
            <Text fw={600}>{words.fleet.slotsOf(count(fleet.busy), count(fleet.slots))}</Text>
            <Text size="xs" c="dimmed">
              {words.fleet.slots}
            </Text>
          </div>
        </Group>
        <div>
          <Text fw={600}>{count(fleet.served)}</Text>
          <Text size="xs" c="dimmed">
            {words.fleet.queues}
          </Text>
        </div>
      </Group>
    </Paper>
  );
}

const MOST_NAMES = 12;

function Warnings({ fleet }: { fleet: Fleet }) {
  const isFull = fleet.slots > 0 && fleet.busy >= fleet.slots && fleet.waiting > 0;
  const hasWork = fleet.unserved.some((queue) => waitingIn(queue) > 0);
  return (
    <>
      {isFull && <Warning color="orange">{words.warnings.busy(fleet.slots, count(fleet.waiting))}</Warning>}
      {fleet.stopped.length > 0 && (
        <Warning color="yellow">
          {words.warnings.stopped(fleet.stopped.length)}{" "}
          {fleet.stopped.slice(0, MOST_NAMES).map((server, i) => (
            <span key={server.id}>
              {i > 0 && ", "}
              <TextLink to="/servers" search={{ server: server.id }} size="sm" underline="always">
                {nameOf(server)}
              </TextLink>
            </span>
          ))}
          {fleet.stopped.length > MOST_NAMES && ` ${words.warnings.more(fleet.stopped.length - MOST_NAMES)}`}
        </Warning>
      )}
      {fleet.unserved.length > 0 && (
        <Warning color={hasWork ? "orange" : "gray"}>
          {words.warnings.unserved(fleet.unserved.length)}{" "}
          {fleet.unserved.slice(0, MOST_NAMES).map((queue, i) => (
            <span key={queue.queue}>
              {i > 0 && ", "}
              <TextLink
                to="/queues/$queue"
                params={{ queue: queue.queue }}
                size="sm"
                underline="always"
                style={{ overflowWrap: "anywhere" }}
              >
                {queue.queue}
              </TextLink>
              {waitingIn(queue) > 0 && ` (${words.warnings.waiting(count(waitingIn(queue)))})`}
            </span>
          ))}
          {fleet.unserved.length > MOST_NAMES && ` ${words.warnings.more(fleet.unserved.length - MOST_NAMES)}`}
        </Warning>
      )}
    </>
  );
}

function Warning({ color, children }: { color: string; children: ReactNode }) {
  return (
    <Alert color={color} icon={<IconAlertTriangle />} py="xs">
      <Text size="sm" component="div">
        {children}
      </Text>
    </Alert>
  );
}
