#!/bin/sh
# The page in a browser, beside the command: web/test.sh build/dev/limpid
#
# Needs Node, Debian's Chromium and `npm ci` in web/; without one of them it says so and is skipped (status 77).
set -eu
cd "$(dirname "$0")"
LIMPID=$(realpath "${1:-../build/dev/limpid}" 2>/dev/null || realpath "../${1:-build/dev/limpid}")
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}

skip() {
  echo "web/test.sh: skipped: $1"
  exit 77
}
command -v node >/dev/null 2>&1 || skip "there is no node (scripts/install-deps.sh web)"
[ -n "$CHROMIUM" ] || skip "there is no chromium (scripts/install-deps.sh browser)"
[ -d node_modules/playwright-core ] || skip "the page's packages are not here (npm ci in web/)"
export LIMPID CHROMIUM
exec node --test --test-concurrency=1 tests/*.test.mjs
