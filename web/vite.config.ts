import { defineConfig } from "vite";

// The page is served below any path (a proxy's too), so nothing in it has an absolute address.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../operator/mlworkflow/ui/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    // The page's policy (CSP) refuses `data:` in scripts and styles: every asset is a file.
    assetsInlineLimit: 0,
  },
});
