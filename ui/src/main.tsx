import "./early";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { metaQuery, queryClient } from "./api/queries";
import { App } from "./app";

void queryClient.prefetchQuery(metaQuery); // every page asks for it
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
