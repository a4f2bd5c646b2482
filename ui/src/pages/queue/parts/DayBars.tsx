/** What was processed on each day: bars without a library, so that the first page stays small. */
import { Box, Group, Text, VisuallyHidden } from "@mantine/core";
import { useState } from "react";
import { count, percent, shortCount } from "~/lib/format";
import { queueText } from "~/strings/queue";
import type { DayCount } from "./days";

export const SUCCEEDED = "var(--mantine-color-teal-6)";
export const FAILED = "var(--mantine-color-red-6)";

const share = (failed: number, processed: number): string => percent(processed ? failed / processed : 0);

/** *days* with the newest first, as the API has them. */
export function DayBars({ days, label, height = 150 }: { days: readonly DayCount[]; label: string; height?: number }) {
  const [pointed, setPointed] = useState<number>();
  const all = [...days].reverse();
  const highest = Math.max(...all.map((each) => each.processed), 0);
  const processed = all.reduce((sum, each) => sum + each.processed, 0);
  const failed = all.reduce((sum, each) => sum + each.failed, 0);
  const one = pointed === undefined ? undefined : all[pointed];
  const sum = queueText.daySum(all.length, count(processed), count(failed), share(failed, processed));
  if (highest === 0) {
    return (
      <Text size="sm" c="dimmed">
        {queueText.noDays}
      </Text>
    );
  }
  const said = one
    ? queueText.dayOne(one.day, count(one.processed), count(one.failed), share(one.failed, one.processed))
    : sum;
  return (
    <figure style={{ margin: 0 }}>
      <Text size="sm" c="dimmed" mb={6} style={{ fontVariantNumeric: "tabular-nums", minHeight: "1.55em" }}>
        {said}
      </Text>
      <Group gap={8} wrap="nowrap" align="stretch" aria-hidden>
        <Text size="xs" c="dimmed" ta="right" style={{ minWidth: 28, lineHeight: 1 }}>
          {shortCount(highest)}
        </Text>
        <Box style={{ flex: 1, minWidth: 0 }}>
          <Box
            style={{
              display: "flex",
              alignItems: "stretch",
              height,
              borderTop: "1px dashed var(--mantine-color-default-border)",
              borderBottom: "1px solid var(--mantine-color-default-border)",
            }}
            onMouseLeave={() => setPointed(undefined)}
          >
            {all.map((each, i) => (
              <Box
                key={each.day}
                onMouseEnter={() => setPointed(i)}
                style={{
                  flex: "1 1 0",
                  minWidth: 0,
                  padding: all.length > 45 ? "0 0.5px" : "0 2px",
                  display: "flex",
                  flexDirection: "column",
                  justifyContent: "flex-end",
                  alignItems: "center",
                  background: i === pointed ? "var(--mantine-color-default-hover)" : undefined,
                }}
              >
                <Piece value={each.failed} highest={highest} color={FAILED} />
                <Piece value={each.succeeded} highest={highest} color={SUCCEEDED} />
              </Box>
            ))}
          </Box>
          <Group justify="space-between" mt={2}>
            <Text size="xs" c="dimmed">
              {all[0]?.day}
            </Text>
            {all.length > 1 && (
              <Text size="xs" c="dimmed">
                {all.at(-1)?.day}
              </Text>
            )}
          </Group>
        </Box>
      </Group>
      <VisuallyHidden>
        <table>
          <caption>{label}</caption>
          <tbody>
            {all.map((each) => (
              <tr key={each.day}>
                <th scope="row">{each.day}</th>
                <td>{`${count(each.processed)} ${queueText.processed}`}</td>
                <td>{`${count(each.failed)} ${queueText.failed}`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </VisuallyHidden>
    </figure>
  );
}

function Piece({ value, highest, color }: { value: number; highest: number; color: string }) {
  if (value === 0) return null;
  return (
    <span
      style={{
        width: "100%",
        maxWidth: 44,
        minHeight: 2,
        height: `${(value / Math.max(highest, 1)) * 100}%`,
        background: color,
      }}
    />
  );
}
