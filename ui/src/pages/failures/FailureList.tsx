/** All groups, one below the other. */
import { Badge, Box, Group, Paper, Stack, Text } from "@mantine/core";
import { memo } from "react";
import type { TaskState } from "~/api/client";
import { TextLink } from "~/components/links";
import { Moment } from "~/components/Moment";
import { Sparkline } from "~/components/Sparkline";
import { count, shortCount } from "~/lib/format";
import { useSettings } from "~/lib/settings";
import { COLOR } from "~/lib/states";
import type { FailureSearch } from "~/routes";
import { STATE_NAMES } from "~/strings/common";
import { failures as words } from "~/strings/failures";
import { affectedInShort } from "./affected";
import { type Failure, ranked } from "./groups";

const MOST_NAMES = 3;

export function FailureList({ groups, search }: { groups: readonly Failure[]; search: FailureSearch }) {
  const { density } = useSettings();
  return (
    <Paper withBorder>
      <Stack component="ul" gap={0} m={0} p={0} style={{ listStyle: "none" }} data-density={density}>
        {groups.map((group, i) => (
          <Row
            key={group.fingerprint}
            group={group}
            search={search}
            isFirst={i === 0}
            isCompact={density === "compact"}
          />
        ))}
      </Stack>
    </Paper>
  );
}

const Row = memo(function Row({
  group,
  search,
  isFirst,
  isCompact,
}: {
  group: Failure;
  search: FailureSearch;
  isFirst: boolean;
  isCompact: boolean;
}) {
  const where = affectedInShort(group);
  const inDay = group.trend.reduce((sum, n) => sum + n, 0);
  return (
    <Box
      component="li"
      px="md"
      py={isCompact ? 6 : "sm"}
      style={{ borderTop: isFirst ? undefined : "1px solid var(--mantine-color-default-border)" }}
    >
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="md">
        <Stack gap={2} style={{ minWidth: 0, flex: 1 }}>
          <TextLink
            to="/failures"
            search={{ ...search, fingerprint: group.fingerprint }}
            fw={600}
            size="sm"
            style={{ overflowWrap: "anywhere" }}
          >
            {group.error_class || words.unnamed}
          </TextLink>
          <Text size="sm" className="mono" lineClamp={isCompact ? 1 : 2} style={{ overflowWrap: "anywhere" }}>
            {group.text}
          </Text>
          <Group gap="4px 12px">
            {Object.entries(group.states).map(([state, n]) => (
              <Badge key={state} variant="light" size="sm" tt="none" color={COLOR[state as TaskState]}>
                {STATE_NAMES[state as TaskState]} {shortCount(n ?? 0)}
              </Badge>
            ))}
            <Names counts={group.types} label={words.types} />
            <Names counts={group.queues} label={words.queues} />
            {where && (
              <Text size="xs" c="dimmed" title={words.whereHint} style={{ overflowWrap: "anywhere" }}>
                {where}
              </Text>
            )}
            <Text size="xs" c="dimmed">
              {words.seen} <Moment at={group.last_seen} />
            </Text>
            <Text size="xs" c="dimmed" visibleFrom="sm">
              {words.seenFirst} <Moment at={group.first_seen} />
            </Text>
          </Group>
        </Stack>
        <Stack gap={2} align="flex-end" style={{ flexShrink: 0 }}>
          <Text fw={700} title={words.tasks(count(group.count), group.count === 1)}>
            {shortCount(group.count)}
          </Text>
          <Box visibleFrom="xs">
            <Sparkline
              values={group.trend}
              label={words.trend(count(inDay))}
              color="var(--mantine-color-red-6)"
              width={120}
              height={isCompact ? 18 : 26}
            />
          </Box>
        </Stack>
      </Group>
    </Box>
  );
});

function Names({ counts, label }: { counts: Readonly<Record<string, number>>; label: string }) {
  const all = ranked(counts);
  const names = all.slice(0, MOST_NAMES).map(([name]) => name);
  return (
    <Text size="xs" c="dimmed" title={label} style={{ overflowWrap: "anywhere" }}>
      {names.join(", ")}
      {all.length > MOST_NAMES && ` ${words.more(all.length - MOST_NAMES)}`}
    </Text>
  );
}
