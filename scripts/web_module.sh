#!/bin/sh
# Builds the engine of the explorer's page by the preset `web` and puts it, packed, beside the digests of its sources:
# FOLDER/limpid.wasm.lzma and FOLDER/module.sha256.
#
#   scripts/web_module.sh [FOLDER]      (web/dist)
set -eu
cd "$(dirname "$0")/.."
FOLDER=${1:-web/dist}
# Debian's emscripten asks for a compiler cache by a variable of its own.
if command -v ccache >/dev/null 2>&1; then export EM_COMPILER_WRAPPER="${EM_COMPILER_WRAPPER-ccache}"; fi
CMAKE_CXX_COMPILER_LAUNCHER='' scripts/build.sh --quiet web limpid_web
mkdir -p "$FOLDER"
python3 scripts/web_pack.py build/web/limpid.wasm "$FOLDER/limpid.wasm.lzma"
python3 scripts/web_digest.py >"$FOLDER/module.sha256"
