// Writes into dist what it was built from: tests/web_dist_test.py compares it, without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url);
const sources = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "vite.worker.config.ts",
  ...["src", "public"].flatMap((folder) => readdirSync(new URL(folder, here)).map((name) => `${folder}/${name}`))].sort();

const digest = createHash("sha256");
for (const name of sources) {
  const bytes = readFileSync(new URL(name, here));
  digest.update(`${name} ${bytes.length}\n`).update(bytes);
}
writeFileSync(new URL("dist/sources.sha256", here), digest.digest("hex") + "\n");
