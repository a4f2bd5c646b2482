/** Lines or areas over time. */
import "uplot/dist/uPlot.min.css";
import "./chart.css";
import { useComputedColorScheme, useMantineTheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { absolute } from "~/lib/format";
import { useSettings } from "~/lib/settings";
import { axisTimes } from "./chartTime";

export interface Line {
  label: string;
  /** A colour of the theme. */
  color: string;
  /** One value for each moment; null where nothing is known. */
  values: (number | null)[];
  isFilled?: boolean;
}

export interface ChartProps {
  /** Says what is shown to those who cannot see it. */
  label: string;
  /** Seconds since 1970, ascending. */
  times: number[];
  lines: Line[];
  height?: number;
  /** Values as people read them. */
  format?: (value: number) => string;
}

export function Chart({ label, times, lines, height = 200, format = String }: ChartProps) {
  const { ref: box, width } = useElementSize();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const theme = useMantineTheme();
  const isDark = useComputedColorScheme("light") === "dark";
  const { timeZone } = useSettings();
  const shape = lines.map((line) => `${line.label}/${line.color}/${line.isFilled}`).join();
  const data = [times, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const latest = useRef({ data, lines, format });
  latest.current = { data, lines, format };

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn anew only when the look changes; data follows below
  useEffect(() => {
    if (!place.current || width === 0) return;
    const ink = isDark ? "#c1c2c5" : "#495057";
    const grid = { stroke: isDark ? "#373a40" : "#e9ecef", width: 1 };
    const drawn = new uPlot(
      {
        width,
        height,
        tzDate: (moment) =>
          timeZone === "utc" ? uPlot.tzDate(new Date(moment * 1000), "Etc/UTC") : new Date(moment * 1000),
        cursor: { y: false },
        legend: { live: true },
        scales: { y: { range: (_, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
        axes: [
          {
            stroke: ink,
            grid,
            ticks: grid,
            space: 64,
            values: (_, moments, _axis, _space, step) => axisTimes(moments, step, timeZone),
          },
          {
            stroke: ink,
            grid,
            ticks: grid,
            size: 78,
            values: (_, all) => all.map((value) => latest.current.format(value)),
          },
        ],
        series: [
          { value: (_, moment) => (moment === null ? "–" : absolute(new Date(moment * 1000), timeZone)) },
          ...latest.current.lines.map((line): uPlot.Series => {
            const color = theme.colors[line.color]?.[isDark ? 4 : 7] ?? line.color;
            return {
              label: line.label,
              stroke: color,
              width: 2,
              fill: line.isFilled ? `${color}33` : undefined,
              points: { show: latest.current.data[0].length < 40 },
              value: (_, value) => (value === null ? "–" : latest.current.format(value)),
            };
          }),
        ],
      },
      latest.current.data,
      place.current,
    );
    plot.current = drawn;
    return () => drawn.destroy();
  }, [width, height, isDark, timeZone, shape, theme]);

  useEffect(() => {
    plot.current?.setData(latest.current.data);
  });

  return (
    <div ref={box} role="img" aria-label={label} style={{ minHeight: height }}>
      <div ref={place} />
    </div>
  );
}
