#!/bin/sh
# Installs the Debian packages that limpid needs, and only those that are missing.
#
#   scripts/install-deps.sh build test mpi peers docs lint ...    the groups below; `build` when none is given
#
# This is the one list of them.  Silent and instant when everything is there.
set -eu

packages_of() {
  case "$1" in
    build) echo "cmake ninja-build g++ pkg-config libhwy-dev nlohmann-json3-dev libcli11-dev libzip-dev libpng-dev" \
                "libjpeg-dev libutf8proc-dev libpcre2-dev zlib1g-dev librsvg2-2 fonts-dejavu-core libcpp-httplib-dev" ;;
    test) echo "libgtest-dev librapidcheck-dev python3 python3-numpy libxml2-utils librsvg2-bin" ;;
    mpi) echo "libopenmpi-dev openmpi-bin" ;;  # limpid_mpi.so: limpid train on several ranks
    peers) echo "libdnnl-dev libopenblas-dev python3-venv" ;;  # bench/peers: compared with, never linked
    # npm comes with nodejs where it is not Debian's own.
    formats) echo "libreoffice-impress graphviz poppler-utils librsvg2-dev python3-pip" \
                  "$(command -v npm >/dev/null 2>&1 || echo nodejs npm)" ;;
    # Compiles .tex and .tikz where somebody wants to see them: tests/tex_test.py skips without.
    tex) echo "texlive-latex-base texlive-pictures texlive-latex-extra lmodern" ;;
    fuzz) echo "clang-19 libclang-rt-19-dev" ;;  # libFuzzer: preset fuzz
    # make web; users need none of them.
    web) echo "emscripten python3 $(command -v npm >/dev/null 2>&1 || echo nodejs npm)" ;;
    browser) echo "chromium" ;;  # web/test.sh: the page's tests
    docs) echo "doxygen mandoc python3" ;;
    lint) echo "clang-format-19 clang-tidy-19" ;;
    # Compiled for arm64 and run under an emulator: preset neon.
    neon) echo "g++-aarch64-linux-gnu qemu-user libhwy-dev:arm64 libutf8proc-dev:arm64 libgtest-dev:arm64" \
               "librapidcheck-dev:arm64" ;;
    *) echo "install-deps: no group '$1', expected build, test, mpi, peers, formats, tex, fuzz, web, browser, docs, lint or neon" >&2; exit 2 ;;
  esac
}

[ $# -gt 0 ] || set -- build
wanted=
for group in "$@"; do
  names=$(packages_of "$group")
  wanted="$wanted $names"
done

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "install-deps: not a Debian machine; going on with what is here (needed:$wanted)" >&2
  exit 0
fi

missing=
for name in $wanted; do
  state=$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) || state=
  case "$state" in *"ok installed") ;; *) missing="$missing $name" ;; esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "install-deps: these packages are missing, and this user is not root and has no sudo." >&2
    echo "  As root: apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  as_root="sudo"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing$missing" >&2
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" </dev/null >>"$log" 2>&1; }
case "$missing" in *:arm64*) $as_root dpkg --add-architecture arm64 ;; esac
# A failing update is not the end: one broken third-party source must not stop what the others offer.
apt update || echo "install-deps: apt-get update failed in part, going on with the lists that are here" >&2
# shellcheck disable=SC2086  # a list of words
if ! apt install --no-install-recommends $missing; then
  cat "$log" >&2
  echo "install-deps: apt-get could not install:$missing" >&2
  exit 1
fi
