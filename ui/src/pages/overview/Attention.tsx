/** What somebody should look at; nothing when all is well. */
import { Anchor, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconInfoCircle } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { percent, span } from "~/lib/format";
import { useQueues, useSchedulers, useServers } from "~/live/hooks";
import { ink } from "~/pages/queue/parts/Stat";
import { overview } from "~/strings/overview";
import { FAILING_SHARE, SLOW_SECONDS, type Warning, warnings } from "./warnings";

const NAMED = 5;

export function Attention() {
  const found = warnings(useQueues(), useServers(), useSchedulers());
  if (found.length === 0) return null;
  return (
    <Paper withBorder p="sm" mb="md" component="section" aria-label={overview.attention.title}>
      <Title order={2} size="sm" mb={6}>
        {overview.attention.title}
      </Title>
      <Stack gap={6}>
        {found.map((warning) => (
          <Line key={warning.kind} warning={warning} />
        ))}
      </Stack>
    </Paper>
  );
}

function Line({ warning }: { warning: Warning }) {
  const isSerious = warning.kind !== "paused" && warning.kind !== "duplicates";
  const Icon = isSerious ? IconAlertTriangle : IconInfoCircle;
  return (
    <Group gap="xs" wrap="nowrap" align="flex-start">
      <Icon size={16} aria-hidden style={{ flex: "none", marginTop: 3, color: ink(isSerious ? "orange" : "blue") }} />
      <Text size="sm" component="div" style={{ overflowWrap: "anywhere" }}>
        <What warning={warning} />
      </Text>
    </Group>
  );
}

function What({ warning }: { warning: Warning }) {
  const text = overview.attention;
  switch (warning.kind) {
    case "no_servers":
      return text.noServers;
    case "missed":
    case "duplicates":
      return (
        <Anchor size="sm" renderRoot={(props) => <Link to="/schedulers" {...props} />}>
          {text[warning.kind](warning.entries)}
        </Anchor>
      );
  }
  const said = {
    unserved: text.unserved(warning.queues.length),
    slow: text.slow(span(SLOW_SECONDS)),
    paused: text.paused(warning.queues.length),
    failing: text.failing(percent(FAILING_SHARE)),
  }[warning.kind];
  const rest = warning.queues.length - NAMED;
  return (
    <>
      {said}{" "}
      {warning.queues.slice(0, NAMED).map((queue, i) => (
        <span key={queue}>
          {i > 0 && ", "}
          <Anchor
            underline="always"
            size="sm"
            renderRoot={(props) =>
              warning.kind === "failing" ? (
                <Link to="/failures" search={{ queue: [queue] }} {...props} />
              ) : (
                <Link to="/queues/$queue" params={{ queue }} search={{ status: "pending" }} {...props} />
              )
            }
          >
            {queue}
          </Anchor>
        </span>
      ))}
      {rest > 0 && ` ${text.more(rest)}`}
    </>
  );
}
