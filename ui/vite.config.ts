/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Where `npm run dev` finds the HTTP API: `asynqpy web` or `make demo` in another terminal. */
const API = process.env.ASYNQPY_WEB ?? "http://127.0.0.1:8080";

/** Few files: each costs a page more than its bytes do. */
const FILES = [
  { name: "early", test: /src.(early|first|pages|live.connection|api.(client|ahead)|lib.stored)\.ts$|openapi-fetch/ },
  { name: "index", tags: ["$initial" as const] },
  // What several pages share, but for the charts, which are large and which few of them have.
  { name: "parts", test: (id: string) => !/uplot|Chart/.test(id), minShareCount: 3 },
];

/** Lets `early` run as soon as it is there, and not with everything else. */
const early: Plugin = {
  name: "early",
  transformIndexHtml: {
    order: "post",
    handler: (_, { bundle }) =>
      Object.values(bundle ?? {})
        .filter((each) => each.type === "chunk" && each.name === "early")
        .map((each) => ({
          tag: "script",
          attrs: { type: "module", src: `./${each.fileName}` },
          injectTo: "head-prepend",
        })),
  },
};

export default defineConfig({
  // The server says by `<base href>` where the page is, so every address in it is relative.
  base: "./",
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  plugins: [react(), early],
  build: {
    outDir: "../src/asynqpy/web/static",
    emptyOutDir: true,
    // Fonts and pictures stay files: the content security policy has no data: for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // A test watches over what is loaded at first, compressed: the manifest tells what that is.
    manifest: true,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: { output: { codeSplitting: { groups: FILES } } },
  },
  server: { proxy: { "/api": { target: API, changeOrigin: true } } },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
  },
});
