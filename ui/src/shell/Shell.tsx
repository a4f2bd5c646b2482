/** What stands around every page: navigation, freshness, search, colours. */
import {
  ActionIcon,
  Alert,
  Anchor,
  AppShell,
  Badge,
  Burger,
  Button,
  Group,
  Menu,
  NavLink,
  Text,
  Tooltip,
  UnstyledButton,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Notifications } from "@mantine/notifications";
import {
  IconAlertTriangle,
  IconBug,
  IconCalendarTime,
  IconChartLine,
  IconDatabase,
  IconDeviceDesktop,
  IconEye,
  IconLayoutDashboard,
  IconListDetails,
  IconMoon,
  IconPlugConnectedX,
  IconSearch,
  IconServer2,
  IconSettings,
  IconStack2,
  IconSun,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { ApiError, BASE, type Meta } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { hinted } from "~/components/hints";
import { Failed } from "~/components/Notice";
import { useSettings } from "~/lib/settings";
import { connection } from "~/live/connection";
import { useLive } from "~/live/hooks";
import { common } from "~/strings/common";
import { shell } from "~/strings/shell";
import { Freshness } from "./Freshness";
import { openPalette, Palette } from "./Palette";

const PAGES = [
  { to: "/", text: shell.nav.overview, icon: IconLayoutDashboard },
  { to: "/tasks", text: shell.nav.tasks, icon: IconListDetails },
  { to: "/failures", text: shell.nav.failures, icon: IconBug },
  { to: "/q/metrics", text: shell.nav.metrics, icon: IconChartLine },
  { to: "/servers", text: shell.nav.servers, icon: IconServer2 },
  { to: "/schedulers", text: shell.nav.schedulers, icon: IconCalendarTime },
  { to: "/jobs", text: shell.nav.jobs, icon: IconStack2 },
  { to: "/redis", text: shell.nav.redis, icon: IconDatabase },
  { to: "/settings", text: shell.nav.settings, icon: IconSettings },
] as const;

export function Shell() {
  const [isOpen, { toggle, close }] = useDisclosure();
  const { data: meta, error, refetch } = useQuery(metaQuery);
  const route = useRouterState({ select: (state) => state.matches.at(-1)?.routeId });
  const { pollSeconds } = useSettings();
  useEffect(() => {
    connection.pollMs = pollSeconds * 1000;
  }, [pollSeconds]);
  const current = route?.startsWith("/queues/") ? "/" : route === "/new-task" ? "/tasks" : route;

  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !isOpen } }}
      padding="md"
    >
      {/* Inside of the router: messages have links. */}
      <Notifications position="bottom-right" />
      <a href="#content" className="visually-hidden-until-focus">
        {common.skip}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" gap="sm" wrap="nowrap" justify="space-between">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={shell.menu} />
            <Anchor c="inherit" underline="never" renderRoot={(props) => <Link to="/" {...props} />}>
              <Group gap={8} wrap="nowrap">
                <img src={`${BASE}/icon.svg`} width={26} height={26} alt="" />
                <Text fw={700} visibleFrom="xs">
                  {common.product}
                </Text>
              </Group>
            </Anchor>
            {meta && meta.brokers.length > 1 && <Brokers meta={meta} />}
            {meta && <OnlyLooking meta={meta} />}
          </Group>
          <Group gap="xs" wrap="nowrap">
            <UnstyledButton
              onClick={openPalette}
              visibleFrom="sm"
              px="sm"
              h={34}
              style={{
                border: "1px solid var(--mantine-color-default-border)",
                borderRadius: "var(--mantine-radius-md)",
              }}
            >
              <Group gap="xs" wrap="nowrap">
                <IconSearch size={16} />
                <Text size="sm" c="dimmed">
                  {shell.search}
                </Text>
                <Badge variant="default" size="xs" tt="none">
                  Ctrl K
                </Badge>
              </Group>
            </UnstyledButton>
            <ActionIcon variant="default" size="lg" hiddenFrom="sm" aria-label={shell.search} onClick={openPalette}>
              <IconSearch size={18} />
            </ActionIcon>
            <Freshness />
            <Colors />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs">
        {PAGES.map(({ to, text, icon: Icon }) => (
          <NavLink
            key={to}
            label={text}
            leftSection={<Icon size={18} stroke={1.6} />}
            active={to === current}
            onClick={close}
            renderRoot={(props) => <Link to={to} {...props} />}
            style={{ borderRadius: "var(--mantine-radius-md)" }}
          />
        ))}
        {meta && (
          <Group mt="auto" px="sm" py="xs" gap="xs" justify="space-between" wrap="nowrap">
            <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
              {common.product} {meta.version}
              {meta.user.name && (meta.user.log_out ? <br /> : " · ")}
              {meta.user.name}
            </Text>
            {meta.user.log_out && (
              <form method="post" action={meta.user.log_out}>
                <Button type="submit" variant="default" size="compact-xs">
                  {shell.logOut}
                </Button>
              </form>
            )}
          </Group>
        )}
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1} style={{ outline: "none" }}>
        <Trouble />
        {error instanceof ApiError && error.status !== 0 ? (
          <Failed error={error} again={() => void refetch()} />
        ) : (
          <Outlet />
        )}
      </AppShell.Main>
      <Palette />
    </AppShell>
  );
}

/** Says above every page that what is shown may be old. */
function Trouble() {
  const status = useLive((live) => live.status);
  const isRedisUp = useLive((live) => live.isRedisUp);
  const redisError = useLive((live) => live.redisError);
  if (status === "lost") {
    return (
      <Alert color="red" icon={<IconPlugConnectedX />} title={shell.lostTitle} mb="md" role="alert">
        {shell.lostText}
      </Alert>
    );
  }
  if (!isRedisUp) {
    return (
      <Alert color="orange" icon={<IconAlertTriangle />} title={shell.redisDownTitle} mb="md" role="alert">
        {redisError}
      </Alert>
    );
  }
  return null;
}

function Brokers({ meta }: { meta: Meta }) {
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <Badge component="button" variant="outline" size="lg" tt="none" aria-label={`${shell.broker}: ${meta.broker}`}>
          {meta.broker}
        </Badge>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{shell.broker}</Menu.Label>
        {meta.brokers.map((each) => (
          <Menu.Item
            key={each.name}
            component="a"
            href={`${each.path}/`}
            fw={each.name === meta.broker ? 700 : undefined}
          >
            {each.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Says that nothing can be changed, so that nobody looks for the buttons. */
function OnlyLooking({ meta }: { meta: Meta }) {
  if (!meta.read_only && meta.user.permissions.length > 0) return null;
  const { name, hint } = meta.read_only ? shell.readOnly : shell.viewer;
  return (
    <Tooltip label={hint} events={{ hover: true, focus: true, touch: true }}>
      <Badge
        component="button"
        type="button"
        variant="light"
        color="gray"
        tt="none"
        leftSection={<IconEye size={12} />}
        style={{ cursor: "help", flexShrink: 0 }}
      >
        {name}
      </Badge>
    </Tooltip>
  );
}

function Colors() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const all = [
    ["light", IconSun],
    ["dark", IconMoon],
    ["auto", IconDeviceDesktop],
  ] as const;
  const Current = all.find(([name]) => name === colorScheme)?.[1] ?? IconDeviceDesktop;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon {...hinted(shell.colorScheme)} variant="default" size="lg" aria-label={shell.colorScheme}>
          <Current size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {all.map(([name, Icon]) => (
          <Menu.Item key={name} leftSection={<Icon size={16} />} onClick={() => setColorScheme(name)}>
            {shell.colors[name]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
