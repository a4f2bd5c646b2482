/** How everything looks, in one place. */
import { createTheme, type MantineColorsTuple } from "@mantine/core";
import { common } from "./strings/common";

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
  primaryShade: 7,
  autoContrast: true,
  colors: { brand },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  defaultRadius: "md",
  cursorType: "pointer",
  headings: { fontWeight: "600" },
  // Buttons that are a cross alone need a name.
  components: Object.fromEntries(
    ["Modal", "Drawer", "Notification"].map((name) => [
      name,
      { defaultProps: { closeButtonProps: { "aria-label": common.close } } },
    ]),
  ),
});
