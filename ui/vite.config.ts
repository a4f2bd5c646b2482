/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `npm run dev` finds the HTTP API: `asynqpy web` or `make demo` in another terminal. */
const API = process.env.ASYNQPY_WEB ?? "http://127.0.0.1:8080";

export default defineConfig({
  // The server says by `<base href>` where the page is, so every address in it is relative.
  base: "./",
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  plugins: [react()],
  build: {
    outDir: "../src/asynqpy/web/static",
    emptyOutDir: true,
    // Fonts and pictures stay files: the content security policy has no data: for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // A test watches over what is loaded at first, compressed: the manifest tells what that is.
    manifest: true,
    chunkSizeWarningLimit: 1000,
  },
  server: { proxy: { "/api": { target: API, changeOrigin: true } } },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
  },
});
