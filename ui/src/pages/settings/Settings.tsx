/** What a person chooses for this browser, who they are, and how to get around. */
import {
  ActionIcon,
  Anchor,
  Badge,
  Button,
  Group,
  Kbd,
  Paper,
  SegmentedControl,
  SimpleGrid,
  Slider,
  Stack,
  Switch,
  Table,
  Text,
  Title,
  useMantineColorScheme,
} from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useId } from "react";
import { BASE, type Meta } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { useConfirm } from "~/components/Confirm";
import { hinted } from "~/components/hints";
import { useNow } from "~/components/Moment";
import { Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { Select } from "~/components/selects";
import { absolute } from "~/lib/format";
import { say } from "~/lib/say";
import { type Settings as Chosen, changeSettings, DEFAULTS, useSettings } from "~/lib/settings";
import { settings as words } from "~/strings/settings";

const PAGE_SIZES = [10, 20, 50, 100, 200] as const;
const HISTORY_DAYS = [1, 7, 30, 90] as const;

export default function Settings() {
  const { data: meta, error, refetch } = useQuery(metaQuery);
  return (
    <>
      <PageHeader title={words.title} http={["GET /api/v2/meta"]} actions={<Reset />} />
      <Text size="sm" c="dimmed" mb="md">
        {words.kept}
      </Text>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Stack gap="md">
          <Look />
          <Lists meta={meta} />
          <SavedViews />
        </Stack>
        <Stack gap="md">
          {meta ? <Me meta={meta} /> : error ? <Failed error={error} again={() => void refetch()} /> : <Loading />}
          <Keys />
          <Programs />
        </Stack>
      </SimpleGrid>
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  const { density } = useSettings();
  return (
    <Paper withBorder p={density === "compact" ? "sm" : "md"} component="section" aria-labelledby={id}>
      <Title order={2} size="h5" id={id} mb="sm">
        {title}
      </Title>
      <Stack gap={density === "compact" ? "xs" : "md"}>{children}</Stack>
    </Paper>
  );
}

/** One of a few, side by side. */
function Choice<T extends string>({
  title,
  value,
  options,
  onChange,
  hint,
}: {
  title: string;
  value: T;
  options: { value: T; label: string }[];
  onChange: (value: T) => void;
  hint?: string;
}) {
  return (
    <div>
      <Group justify="space-between" gap="xs">
        <Text size="sm">{title}</Text>
        <SegmentedControl
          size="xs"
          aria-label={title}
          data={options}
          value={value}
          onChange={(chosen) => onChange(chosen as T)}
          maw="100%"
        />
      </Group>
      {hint && (
        <Text size="xs" c="dimmed" mt={4}>
          {hint}
        </Text>
      )}
    </div>
  );
}

function Look() {
  const chosen = useSettings();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const now = useNow();
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Section title={words.look}>
      <Choice
        title={words.colors.title}
        value={colorScheme}
        options={(["light", "dark", "auto"] as const).map((value) => ({ value, label: words.colors[value] }))}
        onChange={setColorScheme}
      />
      <Choice
        title={words.density.title}
        value={chosen.density}
        options={(["comfortable", "compact"] as const).map((value) => ({ value, label: words.density[value] }))}
        onChange={(density) => changeSettings({ density })}
      />
      <Choice
        title={words.times.title}
        value={chosen.times}
        options={(["relative", "absolute"] as const).map((value) => ({ value, label: words.times[value] }))}
        onChange={(times) => changeSettings({ times })}
        hint={words.timesHint(absolute(new Date(now), chosen.timeZone))}
      />
      <Choice
        title={words.timeZone.title}
        value={chosen.timeZone}
        options={[
          { value: "local", label: words.timeZone.local(zone) },
          { value: "utc", label: words.timeZone.utc },
        ]}
        onChange={(timeZone) => changeSettings({ timeZone })}
      />
    </Section>
  );
}

function Lists({ meta }: { meta?: Meta }) {
  const chosen = useSettings();
  const poll = useId();
  const maySee = meta?.user.may_see_payloads ?? true;
  return (
    <Section title={words.lists}>
      <Select
        size="xs"
        label={words.pageSize}
        data={PAGE_SIZES.map(String)}
        value={String(chosen.pageSize)}
        onChange={(size) => size && changeSettings({ pageSize: Number(size) as Chosen["pageSize"] })}
        allowDeselect={false}
        maw={260}
      />
      <Select
        size="xs"
        label={words.history}
        data={HISTORY_DAYS.map((days) => ({ value: String(days), label: words.days(days) }))}
        value={String(chosen.historyDays)}
        onChange={(days) => days && changeSettings({ historyDays: Number(days) as Chosen["historyDays"] })}
        allowDeselect={false}
        maw={260}
      />
      <Switch
        size="sm"
        label={words.payloads}
        description={maySee ? words.payloadsHint : words.payloadsForbidden}
        checked={chosen.showPayloads}
        disabled={!maySee}
        onChange={(event) => changeSettings({ showPayloads: event.currentTarget.checked })}
      />
      <div>
        <Text size="sm" id={poll}>
          {words.poll}: {chosen.pollSeconds}
        </Text>
        <Slider
          min={1}
          max={30}
          step={1}
          value={chosen.pollSeconds}
          onChange={(pollSeconds) => changeSettings({ pollSeconds })}
          label={null}
          thumbProps={{ "aria-labelledby": poll }}
          maw={360}
          my={6}
        />
        <Text size="xs" c="dimmed">
          {words.pollHint}
        </Text>
      </div>
    </Section>
  );
}

function SavedViews() {
  const { savedViews } = useSettings();
  const names = Object.keys(savedViews).sort();
  const remove = (name: string) => {
    const { [name]: _gone, ...rest } = savedViews;
    changeSettings({ savedViews: rest });
    say.done(words.views.removed(name));
  };
  return (
    <Section title={words.views.title}>
      {names.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.views.none}
        </Text>
      ) : (
        <Stack gap={6} component="ul" m={0} p={0} style={{ listStyle: "none" }}>
          {names.map((name) => {
            const query = (savedViews[name] ?? "").replace(/^\?/, "");
            return (
              <Group key={name} component="li" justify="space-between" wrap="nowrap" gap="sm">
                <div style={{ minWidth: 0 }}>
                  <Anchor
                    size="sm"
                    fw={500}
                    renderRoot={(props) => <Link {...props} to="/tasks" search={searchOf(query) as never} />}
                  >
                    {name}
                  </Anchor>
                  <Text size="xs" c="dimmed" lineClamp={1} style={{ overflowWrap: "anywhere" }}>
                    {decoded(query) || words.views.all}
                  </Text>
                </div>
                <ActionIcon
                  {...hinted(words.views.remove(name))}
                  variant="subtle"
                  color="red"
                  aria-label={words.views.remove(name)}
                  onClick={() => remove(name)}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              </Group>
            );
          })}
        </Stack>
      )}
    </Section>
  );
}

/** The parameters of a query; those that are said several times as lists. */
export function searchOf(query: string): Record<string, string | string[]> {
  const words = new URLSearchParams(query);
  return Object.fromEntries(
    [...new Set(words.keys())].map((name) => {
      const all = words.getAll(name);
      return [name, all.length > 1 ? all : (all[0] ?? "")];
    }),
  );
}

const decoded = (query: string): string =>
  [...new URLSearchParams(query)].map(([name, value]) => `${name}: ${value}`).join(", ");

function Reset() {
  const confirm = useConfirm();
  const { savedViews } = useSettings();
  const { setColorScheme } = useMantineColorScheme();
  const reset = async () => {
    const isSure = await confirm({
      title: words.reset.title,
      body: words.reset.body(Object.keys(savedViews).length),
      yes: words.reset.yes,
    });
    if (!isSure) return;
    changeSettings({ ...DEFAULTS, savedViews });
    setColorScheme("auto");
    say.done(words.reset.done);
  };
  return (
    <Button variant="default" size="xs" onClick={() => void reset()}>
      {words.reset.button}
    </Button>
  );
}

function Me({ meta }: { meta: Meta }) {
  const { user } = meta;
  return (
    <Section title={words.me.title}>
      {meta.read_only && (
        <Badge color="yellow" variant="light" tt="none" style={{ height: "auto", whiteSpace: "normal" }} py={4}>
          {words.me.readOnly}
        </Badge>
      )}
      <Table fz="sm" withRowBorders={false} verticalSpacing={4} horizontalSpacing={0} aria-label={words.me.title}>
        <Table.Tbody>
          <Fact name={words.me.name}>{user.name || words.me.noName}</Fact>
          <Fact name={words.me.role}>{words.me.roles[user.role]}</Fact>
          <Fact name={words.me.queues}>{user.queues.includes("*") ? words.me.allQueues : user.queues.join(", ")}</Fact>
          <Fact name={words.me.may}>
            {user.permissions.length === 0 ? (
              words.me.nothing
            ) : (
              <Group gap={4}>
                {user.permissions.map((permission) => (
                  <Badge key={permission} variant="default" size="sm" tt="none" fw={400}>
                    {words.permissions[permission]}
                  </Badge>
                ))}
              </Group>
            )}
          </Fact>
          <Fact name={words.me.payloads}>{user.may_see_payloads ? words.me.payloadsYes : words.me.payloadsNo}</Fact>
          <Fact name={words.me.redis}>{meta.broker}</Fact>
          <Fact name={words.me.version}>{meta.version}</Fact>
        </Table.Tbody>
      </Table>
    </Section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Table.Tr style={{ verticalAlign: "top" }}>
      <Table.Th scope="row" w={110} fw={400} c="dimmed">
        {name}
      </Table.Th>
      <Table.Td style={{ overflowWrap: "anywhere" }}>{children}</Table.Td>
    </Table.Tr>
  );
}

function Keys() {
  return (
    <Section title={words.keys.title}>
      <Table fz="sm" withRowBorders={false} verticalSpacing={4} horizontalSpacing={0} aria-label={words.keys.title}>
        <Table.Tbody>
          {words.keys.list.map(([keys, what]) => (
            <Table.Tr key={keys}>
              <Table.Th scope="row" w={130} fw={400}>
                <Kbd>{keys}</Kbd>
              </Table.Th>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}

function Programs() {
  const links = [
    [words.api.document, `${BASE}/api/v2/openapi.json`],
    [words.api.health, `${BASE}/healthz`],
    [words.api.metrics, `${BASE}/metrics`],
  ] as const;
  return (
    <Section title={words.api.title}>
      <Text size="sm">{words.api.text}</Text>
      <Group gap="md">
        {links.map(([text, href]) => (
          <Anchor key={href} size="sm" href={href} target="_blank" rel="noreferrer">
            {text}
          </Anchor>
        ))}
      </Group>
    </Section>
  );
}
