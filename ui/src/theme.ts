/** How everything looks, in one place. */
import { createTheme, type MantineColorsTuple } from "@mantine/core";

const brand: MantineColorsTuple = [
  "#e9fbf8",
  "#d4f4ee",
  "#a6e9dd",
  "#74decb",
  "#4dd4bc",
  "#2fbfa6",
  "#179884",
  "#0f766e",
  "#0b5f58",
  "#074a45",
];

export const theme = createTheme({
  primaryColor: "brand",
  primaryShade: { light: 7, dark: 5 },
  autoContrast: true,
  colors: { brand },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  defaultRadius: "md",
  cursorType: "pointer",
  headings: { fontWeight: "600" },
});
