/** Rows of numbers that are sorted by any column, as the address says. */
import { Table, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { metrics } from "~/strings/metrics";
import { sorted } from "./rows";

const route = getRouteApi("/q/metrics");

export type Columns<R> = { [K in keyof R]?: (value: R[K], row: R) => ReactNode };

export interface RatesTableProps<R extends Readonly<Record<string, string | number | null>>> {
  label: string;
  rows: readonly R[];
  columns: Columns<R>;
  keyOf: (row: R) => string;
  minWidth: number;
}

const WORDS = new Set(["queue", "type"]);

export function RatesTable<R extends Readonly<Record<string, string | number | null>>>({
  label,
  rows,
  columns,
  keyOf,
  minWidth,
}: RatesTableProps<R>) {
  const { sort, descending } = route.useSearch();
  const navigate = route.useNavigate();
  const names = Object.keys(columns) as (keyof R & string)[];
  const isMine = names.some((name) => name === sort);
  const sortBy = (name: string) =>
    void navigate({
      search: (now) => ({
        ...now,
        sort: name,
        descending: (sort === name ? !descending : !WORDS.has(name)) || undefined,
      }),
      replace: true,
      resetScroll: false,
    });
  const Arrow = descending ? IconArrowDown : IconArrowUp;
  return (
    <Table.ScrollContainer minWidth={minWidth}>
      <Table
        aria-label={label}
        fz="sm"
        horizontalSpacing={6}
        highlightOnHover
        style={{ fontVariantNumeric: "tabular-nums" }}
      >
        <Table.Thead>
          <Table.Tr>
            {names.map((name) => (
              <Table.Th
                key={name}
                ta={WORDS.has(name) ? undefined : "right"}
                aria-sort={sort === name ? (descending ? "descending" : "ascending") : "none"}
              >
                <UnstyledButton
                  fz="sm"
                  fw={600}
                  className="nowrap"
                  onClick={() => sortBy(name)}
                  aria-label={fullName(name)}
                >
                  {metrics.columns[name as keyof typeof metrics.columns]}
                  {sort === name && <Arrow size={13} aria-hidden style={{ marginLeft: 3, verticalAlign: -1 }} />}
                </UnstyledButton>
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {sorted(rows, isMine ? sort : undefined, descending).map((row) => (
            <Table.Tr key={keyOf(row)}>
              {names.map((name) => (
                <Table.Td
                  key={name}
                  ta={WORDS.has(name) ? undefined : "right"}
                  className={WORDS.has(name) ? undefined : "nowrap"}
                >
                  {columns[name]?.(row[name], row)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** "Waited p90" for the column that shows only "p90". */
function fullName(name: string): string {
  const [group, quantile] = name.split("_p");
  const text = metrics.columns[name as keyof typeof metrics.columns];
  if (quantile === undefined || text.includes(" ")) return text;
  return `${metrics.columns[`${group}_p50` as keyof typeof metrics.columns].split(" ")[0]} ${text}`;
}
