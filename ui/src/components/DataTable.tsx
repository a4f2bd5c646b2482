/** A table that scrolls inside itself, as close as the settings say, with headings that sort. */
import { Button, Group, Paper, Stack, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useIntersection } from "@mantine/hooks";
import { IconArrowDown, IconArrowUp, IconSearch } from "@tabler/icons-react";
import { type ReactElement, type ReactNode, useEffect, useState } from "react";
import { useSettings } from "~/lib/settings";
import { common } from "~/strings/common";

export interface Column {
  key: string;
  text: ReactNode;
  /** Whether pressing it sorts. */
  isSortable?: boolean;
  align?: "right";
  width?: number | string;
}

export interface DataTableProps {
  /** Says what is listed to those who cannot see it. */
  label: string;
  columns: Column[];
  /** Rows: `Table.Tr`. */
  children: ReactNode;
  /** Narrower than this, it scrolls. */
  minWidth?: number;
  sort?: string;
  descending?: boolean;
  onSort?: (key: string, descending: boolean) => void;
}

export function DataTable({ label, columns, children, minWidth = 640, sort, descending, onSort }: DataTableProps) {
  const { density } = useSettings();
  return (
    <Table.ScrollContainer minWidth={minWidth} type="native" tabIndex={0} role="region" aria-label={label}>
      <Table
        verticalSpacing={density === "compact" ? 3 : "xs"}
        horizontalSpacing="sm"
        fz="sm"
        aria-label={label}
        data-density={density}
      >
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => {
              const isSorted = column.key === sort;
              const Arrow = descending ? IconArrowDown : IconArrowUp;
              return (
                <Table.Th
                  key={column.key}
                  w={column.width}
                  ta={column.align}
                  className="nowrap"
                  aria-sort={isSorted ? (descending ? "descending" : "ascending") : undefined}
                >
                  {column.isSortable && onSort ? (
                    <UnstyledButton
                      fz="inherit"
                      fw="inherit"
                      onClick={() => onSort(column.key, isSorted ? !descending : false)}
                    >
                      <Group gap={4} wrap="nowrap" justify={column.align === "right" ? "flex-end" : undefined}>
                        {column.text}
                        {isSorted && <Arrow size={14} aria-hidden />}
                      </Group>
                    </UnstyledButton>
                  ) : (
                    column.text
                  )}
                </Table.Th>
              );
            })}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** What a `FindTable` keeps in the address. */
export interface Found {
  /** Part of what is looked for. */
  name?: string;
  sort?: string;
  descending?: boolean;
}

export interface FindTableProps extends Omit<DataTableProps, "descending" | "onSort" | "children"> {
  /** How it is sorted where the address does not say. */
  sort: string;
  /** Says what can be looked for. */
  find: string;
  /** Stands where nothing was found. */
  none: string;
  search: Found;
  change: (parts: Found) => void;
  /** The key of a row that is shown in any case. */
  open?: string;
  children: ReactElement[];
}

/** Rows that are drawn before somebody scrolls to them. */
const ROWS_AT_ONCE = 40;

/** A `DataTable` below a line that looks for rows; of very many rows, those that somebody has scrolled to. */
export function FindTable({ find, none, search, change, sort, open, children, ...table }: FindTableProps) {
  const [most, setMost] = useState(ROWS_AT_ONCE);
  const opened = children.findIndex((row) => row.key === open);
  const shown = Math.max(most, opened + 1);
  const more = () => setMost(shown + ROWS_AT_ONCE);
  const { ref, entry } = useIntersection({ rootMargin: "400px" });
  const isNear = entry?.isIntersecting === true;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each time that the end comes near
  useEffect(() => {
    if (isNear) more();
  }, [isNear, shown]);
  return (
    <Stack gap="xs">
      <TextInput
        size="xs"
        maw={320}
        leftSection={<IconSearch size={14} />}
        placeholder={find}
        aria-label={find}
        value={search.name ?? ""}
        onChange={(event) => change({ name: event.currentTarget.value || undefined })}
      />
      {children.length === 0 ? (
        <Text size="sm" c="dimmed">
          {none}
        </Text>
      ) : (
        <Paper withBorder>
          <DataTable
            {...table}
            sort={search.sort ?? sort}
            descending={search.descending}
            onSort={(key, descending) => change({ sort: key, descending: descending || undefined })}
          >
            {children.slice(0, shown)}
          </DataTable>
          {children.length > shown && (
            <Group ref={ref} justify="center" p="xs">
              <Button size="compact-sm" variant="subtle" onClick={more}>
                {common.moreRows(children.length - shown)}
              </Button>
            </Group>
          )}
        </Paper>
      )}
    </Stack>
  );
}
