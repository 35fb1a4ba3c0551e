#!/bin/sh
# Whether web/dist is what its sources make: web/check.sh [build/dev/limpid]
#
# Builds module and page again, into a temporary folder, and asks both modules the list of questions (tests/questions.json)
# beside the command; then the page's tests run in the browser. The sources' digests must be the committed ones.
set -eu
cd "$(dirname "$0")/.."
LIMPID=$(realpath "${1:-build/dev/limpid}")
export LIMPID
skip() {  # what is not here cannot be tried: no fault of the page
  echo "web/check.sh: skipped: $1"
  exit 77
}
scripts/install-deps.sh build web browser || skip "emscripten, npm or chromium cannot be installed"
[ -d web/node_modules/playwright-core ] || (cd web && npm ci --no-audit --no-fund) || skip "npm cannot fetch the page's packages"

AGAIN=$(mktemp -d)
trap 'rm -rf "$AGAIN"' EXIT
python3 tests/web_dist_test.py
scripts/web_module.sh "$AGAIN"
cmp "$AGAIN/module.sha256" web/dist/module.sha256 || { echo "web/check.sh: web/dist/limpid.wasm.lzma is of other sources: make web" >&2; exit 1; }
(cd web && npx tsc --noEmit && npx vite build --outDir "$AGAIN/page" --logLevel error &&
  npx vite build --config vite.worker.config.ts --mode engine --outDir "$AGAIN/page" --logLevel error &&
  npx vite build --config vite.worker.config.ts --mode boot --outDir "$AGAIN/page" --logLevel error)
for name in index.html page.js page.css engine.js boot.js icon.svg first_view.json; do
  cmp "$AGAIN/page/$name" "web/dist/$name" || { echo "web/check.sh: web/dist/$name is not what web/ builds: make web" >&2; exit 1; }
done
cd web
for module in dist/limpid.wasm.lzma "$AGAIN/limpid.wasm.lzma"; do
  echo "web/check.sh: questions to $module"
  LIMPID_WASM=$(realpath "$module") node --test tests/engines.test.mjs
done
./test.sh "$LIMPID"
