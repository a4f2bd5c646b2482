/** A number with its name, and a line about it. */
import { Group, Paper, Text } from "@mantine/core";
import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { hinted } from "~/components/hints";

export interface StatProps {
  label: string;
  value: ReactNode;
  /** A line below. */
  about?: ReactNode;
  hint?: string;
  /** On the right. */
  beside?: ReactNode;
  /** A colour of the theme, for what needs attention. */
  color?: string;
  link?: LinkProps;
}

export function Stat({ label, value, about, hint, beside, color, link }: StatProps) {
  const inside = (
    <>
      <Text {...hinted(hint)} size="sm" c="dimmed" truncate>
        {label}
      </Text>
      <Group justify="space-between" wrap="nowrap" gap="xs" align="center" mih={32}>
        <Text
          fz={20}
          fw={600}
          lh={1.3}
          className="nowrap"
          style={{ fontVariantNumeric: "tabular-nums", color: ink(color) }}
        >
          {value}
        </Text>
        {beside}
      </Group>
      <Text size="xs" c="dimmed" truncate mih="1.45em">
        {about}
      </Text>
    </>
  );
  return link ? (
    <Paper
      withBorder
      p="sm"
      className="stat-link"
      renderRoot={(props) => (
        <Link {...link} {...props} style={{ ...props.style, color: "inherit", textDecoration: "none" }} />
      )}
    >
      {inside}
    </Paper>
  ) : (
    <Paper withBorder p="sm">
      {inside}
    </Paper>
  );
}

/** A colour of the theme that can be read on the page. */
export const ink = (color: string | undefined): string | undefined =>
  color && `light-dark(var(--mantine-color-${color}-9), var(--mantine-color-${color}-4))`;
