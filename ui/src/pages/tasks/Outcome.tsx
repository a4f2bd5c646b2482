/** What a search has looked at, and what stands where it has found nothing. */
import { Alert, Button, Text } from "@mantine/core";
import { Empty } from "~/components/Notice";
import { count } from "~/lib/format";
import type { TaskSearch } from "~/routes";
import { STATE_NAMES } from "~/strings/common";
import { tasks as words } from "~/strings/tasks";
import { isFiltered } from "./scope";

export function Coverage({
  coverage,
  isShown,
  onMore,
}: {
  coverage: { scanned: number; total: number; is_complete: boolean };
  isShown: boolean;
  onMore?: () => void;
}) {
  if (!isShown) return null;
  return (
    <>
      <Text size="sm" c="dimmed" role="status">
        {coverage.is_complete
          ? words.coverage.whole(count(coverage.scanned))
          : words.coverage.partly(count(coverage.scanned), count(Math.max(coverage.total, coverage.scanned)))}
      </Text>
      {onMore && (
        <Button size="compact-sm" variant="light" onClick={onMore}>
          {words.coverage.more}
        </Button>
      )}
    </>
  );
}

export function Nothing({
  search,
  isPartly,
  onMore,
  onClear,
  onIdPrefix,
}: {
  search: TaskSearch;
  isPartly: boolean;
  onMore: () => void;
  onClear?: () => void;
  onIdPrefix?: (start: string) => void;
}) {
  const { id } = search;
  if (isPartly) {
    return (
      <Alert color="gray" title={words.nothing.partly}>
        <Button size="xs" variant="light" onClick={onMore}>
          {words.coverage.more}
        </Button>
      </Alert>
    );
  }
  const [state] = search.state ?? [];
  if (!isFiltered(search) && search.state?.length === 1 && state) {
    return <Empty title={words.nothing.state(STATE_NAMES[state])} />;
  }
  return (
    <Empty title={words.nothing.title}>
      {words.nothing.text}
      {onIdPrefix && id && !id.endsWith("*") && (
        <div>
          <Button size="xs" variant="light" mt="sm" onClick={() => onIdPrefix(id)}>
            {words.nothing.idPrefix(id)}
          </Button>
        </div>
      )}
      {onClear && (
        <div>
          <Button size="xs" variant="light" mt="sm" onClick={onClear}>
            {words.nothing.clear}
          </Button>
        </div>
      )}
    </Empty>
  );
}
