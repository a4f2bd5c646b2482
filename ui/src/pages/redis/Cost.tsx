/** What this dashboard costs Redis. */
import { Box, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { metaQuery } from "~/api/queries";
import { Failed } from "~/components/Notice";
import { count, percent, span } from "~/lib/format";
import { redis as words } from "~/strings/redis";
import { Card } from "./Redis";

export function Cost({ every }: { every: number | false }) {
  const { cost } = words;
  const { data: meta } = useQuery(metaQuery);
  const { data, error, refetch } = useQuery({
    queryKey: ["cost"],
    queryFn: ({ signal }) => answer(api.GET("/api/v2/cost", { signal })),
    refetchInterval: every,
  });
  const shared = data ? data.asked - data.read : 0;
  return (
    <Stack gap="xs" component="section" aria-labelledby="cost">
      <Title order={2} size="h4" id="cost">
        {cost.title}
      </Title>
      <Text size="sm" c="dimmed" maw={760}>
        {cost.intro} {meta && (meta.memory_usage ? cost.memory : cost.noMemory)}
      </Text>
      {error && <Failed error={error} again={() => void refetch()} />}
      {data && (
        <Box>
          <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm">
            <Card title={cost.watchers} hint={cost.watchersHint}>
              {count(data.watchers)}
            </Card>
            <Card
              title={cost.looks}
              note={data.looks > 0 ? cost.perLook(span(data.look_seconds / data.looks)) : undefined}
            >
              {count(data.looks)}
            </Card>
            <Card
              title={cost.share}
              hint={cost.shareHint}
              note={cost.perSecond(span(data.look_seconds / Math.max(data.uptime_seconds, 1)))}
            >
              {percent(data.look_seconds / Math.max(data.uptime_seconds, 1))}
            </Card>
            <Card title={cost.reads} hint={cost.readsHint} note={cost.readsOf(count(shared), count(data.asked))}>
              {percent(Number((shared / Math.max(data.asked, 1)).toFixed(3)))}
            </Card>
            <Card title={cost.commands} hint={cost.commandsHint}>
              {data.redis_commands_processed == null ? "–" : count(data.redis_commands_processed)}
            </Card>
            <Card title={cost.uptime}>{span(Math.round(data.uptime_seconds))}</Card>
          </SimpleGrid>
        </Box>
      )}
    </Stack>
  );
}
