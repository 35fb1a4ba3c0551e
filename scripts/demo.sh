#!/bin/bash
# `make demo`: builds limpid, sends a sentence through the built-in network, and shows it.
set -euo pipefail
cd "$(dirname "$0")/.."
# What the tests have built is the same program.
preset=release
[ ! -x build/dev/limpid ] || preset=dev
program=build/$preset/limpid
sentence="Life is short"

scripts/install-deps.sh build
[ -x $program ] || echo "Building limpid: a few minutes the first time (log: build/$preset/build.log)" >&2
scripts/build.sh --quiet $preset limpid_program
mkdir -p demo
$program trace "$sentence" -o demo/life.safetensors >/dev/null
$program draw demo/life.safetensors -o demo/life.svg >/dev/null
$program trace demo/life.safetensors
echo
echo "Kept: demo/life.safetensors (every number above) and demo/life.svg (the network)."
echo "Next: $program trace \"your own words\"      $program --help"
