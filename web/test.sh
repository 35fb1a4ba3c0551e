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

# What fails is tried once more, alone, and said: a browser on a busy machine can be late.
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
total() { sed -n "s/^# $1 //p" "$LOG" | awk '{ sum += $1 } END { print sum + 0 }'; }
again=
for file in tests/*.test.mjs; do
  if node --test --test-reporter=tap "$file" >"$LOG.one" 2>&1; then
    cat "$LOG.one" >>"$LOG"
  else
    echo "web/test.sh: $file failed; once more"
    grep -A 20 '^ *not ok' "$LOG.one" | head -n 120
    again="$again $file"
  fi
done
status=0
for file in $again; do
  node --test --test-reporter=tap "$file" >"$LOG.one" 2>&1 || { status=1; grep -A 20 '^ *not ok' "$LOG.one" | head -n 120; }
  cat "$LOG.one" >>"$LOG"
done
rm -f "$LOG.one"
echo "$(total pass) passed, $(total fail) failed, $(total skipped) skipped"
exit $status
