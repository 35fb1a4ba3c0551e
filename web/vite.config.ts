// The page as three files: index.html, page.js, page.css. No hashes in names, nothing from outside, no inline
// script (the server's Content-Security-Policy lets none run).
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

// A plain deferred script, so that the same file also runs where modules do not load.
const plainScript: Plugin = {
  name: "plain-script",
  transformIndexHtml: {
    order: "post",
    handler: (html) => html.replace(/<script type="module" crossorigin src="([^"]+)"><\/script>/, '<script defer src="$1"></script>')
      .replaceAll('="./', '="'),
  },
};

// The command reads it too: what a page that is one file shows first, it asks before (apps/limpid/first_view.h).
const firstView: Plugin = {
  name: "first-view",
  generateBundle() { this.emitFile({ type: "asset", fileName: "first_view.json", source: readFileSync("src/first_view.json") }); },
};

// `npm run dev` asks a server that runs: LIMPID_EXPLORE=http://127.0.0.1:PORT/TOKEN/ npm run dev
const server = process.env.LIMPID_EXPLORE ? new URL(process.env.LIMPID_EXPLORE) : undefined;

export default defineConfig({
  base: "./",
  plugins: [plainScript, firstView],
  esbuild: { charset: "ascii" },  // a page that is one file is written in windows-1252
  build: {
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: true,
    rollupOptions: {
      output: { format: "iife", entryFileNames: "page.js", assetFileNames: "page[extname]" },
    },
  },
  server: server && {
    proxy: { "/ask": { target: server.origin, changeOrigin: true, rewrite: () => `${server.pathname}ask`,
      configure: (proxy) => proxy.on("proxyReq", (request) => { request.removeHeader("origin"); request.removeHeader("sec-fetch-site"); }) } },
  },
});
