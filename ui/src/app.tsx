/** Everything that stands around the pages. */
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "@mantine/spotlight/styles.css";
import "./app.css";
import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { queryClient } from "./api/queries";
import { ConfirmProvider } from "./components/Confirm";
import { Hints } from "./components/hints";
import { router } from "./routes";
import { theme } from "./theme";

const colorScheme = localStorageColorSchemeManager({ key: "asynqpy.colors" });

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={colorScheme}>
      <QueryClientProvider client={queryClient}>
        <ConfirmProvider>
          <RouterProvider router={router} />
        </ConfirmProvider>
        <Hints />
      </QueryClientProvider>
    </MantineProvider>
  );
}
