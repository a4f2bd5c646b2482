/** A table that scrolls inside itself, as close as the settings say, with headings that sort. */
import { Group, Table, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
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
