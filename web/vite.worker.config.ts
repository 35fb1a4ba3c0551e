// The script of the worker in which the engine runs in the page: engine.js, beside what vite.config.ts builds.
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  esbuild: { charset: "ascii" },
  build: {
    target: "es2022",
    emptyOutDir: false,
    rollupOptions: { input: "src/wasm_worker.ts", output: { format: "iife", entryFileNames: "engine.js" } },
  },
});
