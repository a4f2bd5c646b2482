/** A chart with its name, and a line for each queue. */
import { Group, Paper, Text, Title } from "@mantine/core";
import { Chart } from "~/components/Chart";
import { metrics } from "~/strings/metrics";

const COLORS = [
  "blue",
  "orange",
  "teal",
  "grape",
  "red",
  "lime",
  "cyan",
  "pink",
  "indigo",
  "yellow",
  "green",
  "violet",
];

export interface QueueLinesProps {
  /** Says what is shown to those who cannot see it. */
  label: string;
  title: string;
  hint: string;
  times: number[];
  lines: Readonly<Record<string, (number | null)[]>>;
  format: (value: number) => string;
  /** Why there is nothing to draw. */
  error?: string | null;
}

export function QueueLines({ label, title, hint, times, lines, format, error }: QueueLinesProps) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title} style={{ minWidth: 0 }}>
      <Group gap="xs" mb="xs" align="baseline">
        <Title order={2} size="sm">
          {title}
        </Title>
        <Text size="xs" c="dimmed">
          {hint}
        </Text>
      </Group>
      {error || Object.keys(lines).length === 0 ? (
        <Text size="sm" c={error ? "var(--mantine-color-error)" : "dimmed"} style={{ overflowWrap: "anywhere" }}>
          {error ?? metrics.history.none}
        </Text>
      ) : (
        <Chart
          label={label}
          height={180}
          times={times}
          format={format}
          lines={Object.entries(lines).map(([queue, values], i) => ({
            label: queue,
            color: COLORS[i % COLORS.length] ?? "blue",
            values,
          }))}
        />
      )}
    </Paper>
  );
}
