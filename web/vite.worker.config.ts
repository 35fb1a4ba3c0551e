// The scripts that stand by themselves beside the page's own (vite.config.ts), by the mode of the build: engine.js, of the worker
// in which the engine runs in the page, and boot.js, with which a page that is one file begins.
import { defineConfig } from "vite";

const inputs: Record<string, string> = { engine: "src/wasm_worker.ts", boot: "src/boot.ts" };

export default defineConfig(({ mode }) => ({
  publicDir: false,
  esbuild: { charset: "ascii" },
  build: {
    target: "es2022",
    emptyOutDir: false,
    modulePreload: false,
    rollupOptions: { input: inputs[mode], output: { format: "iife", entryFileNames: `${mode}.js` } },
  },
}));
