#!/bin/bash
# Configures (once) and builds a preset of CMakePresets.json into build/PRESET.
#
#   scripts/build.sh [--quiet] PRESET [TARGET ...]
#
# --quiet: the compiler's output goes to build/PRESET/build.log and is shown only if the build fails.
set -euo pipefail
cd "$(dirname "$0")/.."

quiet=
if [ "${1:-}" = --quiet ]; then quiet=yes; shift; fi
preset=${1:?build.sh: no preset given, expected one of CMakePresets.json}
shift
folder=build/$preset
log=$folder/build.log

# A compiler cache is used where there is one, never required.
if command -v ccache >/dev/null 2>&1; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}; fi

build() {
  [ -f "$folder/build.ninja" ] || cmake --preset "$preset"
  cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"}
}

if [ -z "$quiet" ]; then
  build "$@"
  exit
fi

mkdir -p "$folder"
progress() {  # Ninja's [done/all], in place, on a terminal only
  if [ -t 2 ]; then
    awk -v what="$preset" '/^\[[0-9]+\/[0-9]+\]/ { printf "\rbuilding %s %s ", what, $1 > "/dev/stderr"; fflush("/dev/stderr"); n = 1 }
      END { if (n) printf "\r%60s\r", "" > "/dev/stderr" }'
  else
    cat >/dev/null
  fi
}
if ! build "$@" </dev/null 2>&1 | tee "$log" | progress; then
  grep -v '^\[[0-9]*/[0-9]*\] Building' "$log" | tail -n 80 >&2
  echo "The build failed; the whole log is in $log" >&2
  exit 1
fi
