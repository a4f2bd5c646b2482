/**
 * Runs before the rest of the front end has arrived: opens the stream of events, and sends for the code of the page and
 * for what it will ask first, so that none of them waits for another. A file of its own in the build, see
 * `vite.config.ts`.
 */
import { readAhead } from "./api/ahead";
import { BASE } from "./api/client";
import { firstReads } from "./first";
import { readSettings } from "./lib/stored";
import { connection } from "./live/connection";
import { pageAt } from "./pages";

const path = location.pathname.slice(BASE.length);
const reads = firstReads(path, new URLSearchParams(location.search), readSettings().pageSize);
for (const read of ["meta", ...reads]) readAhead(`${BASE}/api/v2/${read}`);
connection.start();
pageAt(path)
  ?.load()
  .catch(() => {}); // the router tells of what it cannot load
