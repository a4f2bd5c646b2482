/**
 * Runs before the rest of the front end has arrived: opens the stream of events and sends for the code of the page, so
 * that none of them waits for another. A file of its own in the build, see `vite.config.ts`.
 */
import { BASE } from "./api/client";
import { connection } from "./live/connection";
import { pageAt } from "./pages";

connection.start();
pageAt(location.pathname.slice(BASE.length))
  ?.load()
  .catch(() => {}); // the router tells of what it cannot load
