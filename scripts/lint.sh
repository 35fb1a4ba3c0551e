#!/bin/bash
# Holds every tracked C++ file to .clang-format, and every source file to .clang-tidy.
#
#   scripts/lint.sh [--fix-format | --format-only] [FILE ...]     all files when none is given
#
# --fix-format: puts the files into the format and stops there.  --format-only: checks it and stops there.  A source that passed clang-tidy is not
# checked again until it, a header or the list of checks changes (build/lint/ remembers).
set -euo pipefail
cd "$(dirname "$0")/.."

# One version, in Debian 12 and 13 alike: formats and checks differ from version to version.
format=clang-format-19
tidy=clang-tidy-19
export tidy

fix=
format_only=
if [ "${1:-}" = --fix-format ]; then fix=yes; shift; fi
if [ "${1:-}" = --format-only ]; then format_only=yes; shift; fi
if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(git ls-files '*.h' '*.cpp' '*.inc')
fi

if [ -n "$fix" ]; then
  $format -i "${files[@]}"
  exit
fi

status=0
if ! $format --dry-run --Werror "${files[@]}"; then
  echo "lint: format: wrong (make format puts it right)"
  status=1
else
  echo "lint: format: ${#files[@]} files right"
fi

[ -z "$format_only" ] || exit $status

# clang-tidy reads how each file is compiled from a folder of its own, where every file is compiled alone.
commands=build/lint/commands
export commands
[ -f $commands/build.ninja ] || cmake --preset dev -B $commands -DLIMPID_UNITY=OFF >/dev/null
headers=$({ cat .clang-tidy; git ls-files '*.h' | sort | xargs cat; } | sha256sum | cut -c1-40)
export headers
check() {
  local key mark
  key=$( { echo "$headers"; cat "$1"; } | sha256sum | cut -c1-40)
  mark=build/lint/$(echo "$1" | tr / _).$key
  [ ! -e "$mark" ] || return 0
  if $tidy --quiet -p "$commands" "$1" >"$mark.log" 2>&1; then
    rm -f "$mark.log" "build/lint/$(echo "$1" | tr / _)".*
    : >"$mark"
  else
    grep -v 'warnings generated\|warnings treated as errors' "$mark.log" || cat "$mark.log"
    rm -f "$mark.log"
    return 1
  fi
}
export -f check
sources=()
for file in "${files[@]}"; do
  case "$file" in tests/consumer/* | examples/*) ;; *.cpp) sources+=("$file") ;; esac
done
if printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}'; then
  echo "lint: clang-tidy: ${#sources[@]} files right"
else
  echo "lint: clang-tidy: see above"
  status=1
fi
exit $status
