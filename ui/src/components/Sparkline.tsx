/** A small line without axes. */
export interface SparklineProps {
  values: readonly number[];
  label: string;
  color?: string;
  width?: number;
  height?: number;
}

export function Sparkline({
  values,
  label,
  color = "var(--mantine-primary-color-filled)",
  width = 96,
  height = 24,
}: SparklineProps) {
  const highest = Math.max(...values, 0);
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const y = (value: number) => (highest > 0 ? height - 1.5 - (value / highest) * (height - 3) : height - 1.5);
  const points = values.map((value, i) => `${(i * step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return (
    <svg role="img" aria-label={label} width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
      {values.length > 1 && (
        <>
          <polygon points={`0,${height} ${points} ${width},${height}`} fill={color} opacity={0.15} />
          <polyline points={points} fill="none" stroke={color} strokeWidth={1.5} strokeLinejoin="round" />
        </>
      )}
    </svg>
  );
}
