/** What has failed, by what the failures have in common. */
import { Button, Group, Progress, Stack, Text } from "@mantine/core";
import { IconConfetti, IconFilterOff } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Queue } from "~/api/client";
import { BulkDialog, type BulkRequest } from "~/components/BulkDialog";
import { Empty, Failed, Loading } from "~/components/Notice";
import { PageHeader } from "~/components/PageHeader";
import { command, reading } from "~/lib/cli";
import { count } from "~/lib/format";
import { useLive, useOnChange } from "~/live/hooks";
import type { FailureSearch } from "~/routes";
import { failures as words } from "~/strings/failures";
import { FailureDetails } from "./FailureDetails";
import { FailureList } from "./FailureList";
import { Filters } from "./Filters";
import { FAILED, type FailureFilter, failuresQuery, merged, sorted } from "./groups";

const route = getRouteApi("/failures");

/** From this many tasks on, they are looked at less often. */
const MANY = 5_000;

export default function Failures() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [request, setRequest] = useState<BulkRequest>();
  const { queue, type, state, since, until, fingerprint, sort } = search;
  const filter: FailureFilter = { queue, type, state, since, until };
  const found = useInfiniteQuery(failuresQuery(filter));
  const pages = found.data?.pages;
  const groups = useMemo(() => merged(pages ?? []), [pages]);
  const scanned = pages?.reduce((sum, page) => sum + page.coverage.scanned, 0) ?? 0;

  // Everything that fails changes one of these sums.
  const failed = useLive((live) => failedSums(live.queues));
  const isSlow = scanned > MANY;
  useOnChange(failed, () => void found.refetch(), isSlow ? 30_000 : 2_000);

  const change = (parts: Partial<FailureSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...parts }), replace: true });
  const clear = () => void navigate({ search: { fingerprint } });
  const isFiltered = Boolean(queue || type || state || since || until);

  const goOn = found.hasNextPage && (
    <Button size="xs" variant="default" loading={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
      {words.goOn}
    </Button>
  );

  const open = fingerprint ? groups.find((group) => group.fingerprint === fingerprint) : undefined;
  // In one place whatever is shown: a job is followed to its end although its group is gone by then.
  const dialog = <BulkDialog request={request} onClose={() => setRequest(undefined)} />;
  if (open) {
    return (
      <>
        <FailureDetails group={open} filter={filter} act={setRequest} />
        {dialog}
      </>
    );
  }

  const list = (
    <>
      <PageHeader
        title={fingerprint ? words.group : words.title}
        crumbs={fingerprint ? [{ text: words.back, to: "/failures" }] : []}
        cli={[
          command(
            "task",
            "find",
            ...(queue ?? []).flatMap((each) => ["--queue", each]),
            ...(state ?? FAILED).flatMap((each) => ["--state", each]),
            ...(type ? ["--type", type] : []),
            ...(since ? ["--since", since] : []),
            ...(until ? ["--until", until] : []),
          ),
        ]}
        http={[reading("/api/v2/failures", filter)]}
      />
      {!fingerprint && (
        <Stack gap="sm" mb="md">
          <Text size="sm" c="dimmed">
            {words.intro}
          </Text>
          <Filters filter={filter} sort={sort} change={change} />
        </Stack>
      )}
      {found.isError && !pages ? (
        <Failed error={found.error} again={() => void found.refetch()} />
      ) : !pages ? (
        <Loading lines={8} />
      ) : (
        <Stack gap="sm" style={{ opacity: found.isPlaceholderData ? 0.6 : 1 }}>
          {found.isError && <Failed error={found.error} again={() => void found.refetch()} />}
          <Group gap="md" aria-live="polite">
            {!fingerprint && groups.length > 0 && (
              <Text size="sm">
                {sums(
                  groups.length,
                  groups.reduce((sum, group) => sum + group.count, 0),
                )}
              </Text>
            )}
            {found.hasNextPage && <Covered scanned={scanned} total={pages[0]?.coverage.total ?? scanned} />}
            {goOn}
            {isSlow && (
              <Text size="xs" c="dimmed">
                {words.slow}
              </Text>
            )}
          </Group>
          {fingerprint ? (
            found.hasNextPage ? (
              <Empty title={words.fartherTitle}>{goOn}</Empty>
            ) : (
              <Empty title={words.goneTitle} icon={<IconConfetti size={26} />}>
                <Stack align="center" gap="xs">
                  <span>
                    {words.goneText} {isFiltered && words.goneFilters}
                  </span>
                  {isFiltered && <Clear clear={clear} />}
                </Stack>
              </Empty>
            )
          ) : groups.length > 0 ? (
            <FailureList groups={sorted(groups, sort)} search={search} />
          ) : isFiltered ? (
            <Empty title={words.noMatchTitle} icon={<IconFilterOff size={26} />}>
              <Stack align="center" gap="xs">
                {words.noMatchText}
                <Clear clear={clear} />
              </Stack>
            </Empty>
          ) : (
            <Empty title={words.noneTitle} icon={<IconConfetti size={26} />}>
              {words.noneText}
            </Empty>
          )}
        </Stack>
      )}
    </>
  );
  return (
    <>
      {list}
      {dialog}
    </>
  );
}

function failedSums(queues: Readonly<Record<string, Queue>>): string {
  let [retry, archived, failed] = [0, 0, 0];
  for (const queue of Object.values(queues)) {
    retry += queue.retry;
    archived += queue.archived;
    failed += queue.failed_total;
  }
  return `${retry}/${archived}/${failed}`;
}

function sums(groups: number, tasks: number): string {
  return words.sums(count(groups), groups === 1, count(tasks), tasks === 1);
}

function Clear({ clear }: { clear: () => void }) {
  return (
    <Button size="xs" variant="light" onClick={clear}>
      {words.clear}
    </Button>
  );
}

function Covered({ scanned, total }: { scanned: number; total: number }) {
  const label = words.coverage(count(scanned), count(Math.max(total, scanned)));
  return (
    <Group gap="xs">
      <Progress value={(scanned / Math.max(total, scanned, 1)) * 100} w={100} size="sm" aria-label={label} />
      <Text size="sm" c="dimmed">
        {label}
      </Text>
    </Group>
  );
}
