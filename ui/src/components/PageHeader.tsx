/** The top of a page: where it is, what it is, what can be done, and the commands that do the same. */
import { ActionIcon, Anchor, Breadcrumbs, Code, Group, Popover, Stack, Text, Title } from "@mantine/core";
import { IconTerminal2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { BASE } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { below, redisOptions, withOptions } from "~/lib/cli";
import { common } from "~/strings/common";
import { CopyButton } from "./CopyButton";
import { hinted } from "./hints";

interface Crumb {
  text: string;
  to: string;
  params?: Record<string, string>;
}

export interface PageHeaderProps {
  title: string;
  /** Beside the title: badges and the like. */
  beside?: ReactNode;
  crumbs?: Crumb[];
  /** After those: what is no link. */
  lastCrumb?: ReactNode;
  /** Buttons on the right. */
  actions?: ReactNode;
  /** Equivalent commands, see `command`. */
  cli?: string[];
  /** Equivalent requests, such as "GET /api/v2/queues". */
  http?: string[];
}

/** Characters of a crumb that is cut on many screens, so that pointing at it shows all. */
const LONG_CRUMB = 30;

export function PageHeader({ title, beside, crumbs = [], lastCrumb, actions, cli = [], http = [] }: PageHeaderProps) {
  useEffect(() => {
    document.title = `${title} · ${common.product}`;
  }, [title]);
  return (
    <Stack gap={4} mb="md">
      {crumbs.length > 0 && (
        <Breadcrumbs fz="sm" style={{ flexWrap: "wrap", minWidth: 0 }} className="crumbs">
          {crumbs.map((crumb) => (
            <Anchor
              key={crumb.to + crumb.text}
              size="sm"
              truncate
              title={crumb.text.length > LONG_CRUMB ? crumb.text : undefined}
              renderRoot={(props) => <Link to={crumb.to as never} params={crumb.params as never} {...props} />}
            >
              {crumb.text}
            </Anchor>
          ))}
          {lastCrumb}
        </Breadcrumbs>
      )}
      <Group justify="space-between" align="center" gap="sm">
        <Group gap="sm" style={{ minWidth: 0 }}>
          <Title order={1} size="h3" style={{ overflowWrap: "anywhere" }}>
            {title}
          </Title>
          {beside}
        </Group>
        <Group gap="xs">
          {actions}
          {(cli.length > 0 || http.length > 0) && <Equivalents cli={cli} http={http} />}
        </Group>
      </Group>
    </Stack>
  );
}

/** A button that tells the commands and requests that do the same. */
export function Equivalents({ cli, http = [] }: { cli: string[]; http?: string[] }) {
  const { data: meta } = useQuery(metaQuery);
  const options = redisOptions(meta);
  return (
    <Popover width={460} position="bottom-end" withArrow shadow="md" trapFocus>
      <Popover.Target>
        <ActionIcon {...hinted(common.cliTitle)} variant="default" size="lg" aria-label={common.cliTitle}>
          <IconTerminal2 size={18} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown maw="calc(100vw - 2rem)">
        <Stack gap="xs" mah="70vh" style={{ overflowY: "auto" }}>
          {cli.length > 0 && <Lines title={common.cliTitle} lines={cli.map((line) => withOptions(line, options))} />}
          {http.length > 0 && <Lines title={common.apiTitle} lines={http.map((line) => below(BASE, line))} />}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

function Lines({ title, lines }: { title: string; lines: string[] }) {
  return (
    <>
      <Text size="xs" fw={600} c="dimmed">
        {title}
      </Text>
      {lines.map((line) => (
        <Group key={line} gap="xs" wrap="nowrap" align="flex-start">
          <Code block style={{ flex: 1, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {line}
          </Code>
          <CopyButton value={line} label={line} />
        </Group>
      ))}
    </>
  );
}
