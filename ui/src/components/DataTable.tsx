/** A table that scrolls inside itself, as close as the settings say, with headings that sort. */
import { Group, Paper, Stack, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconSearch } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useSettings } from "~/lib/settings";

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
  children: ReactNode[];
}

/** A `DataTable` below a line that looks for rows. */
export function FindTable({ find, none, search, change, sort, children, ...table }: FindTableProps) {
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
            {children}
          </DataTable>
        </Paper>
      )}
    </Stack>
  );
}
