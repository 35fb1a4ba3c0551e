#!/bin/sh
# Puts the sources of utf8proc, pcre2 and zlib, as Debian has them, into FOLDER/{utf8proc,pcre2,zlib}: preset `web` compiles
# them, because Debian has no packages for WebAssembly.  Needs no root, and writes nowhere else.
#
#   scripts/web_sources.sh FOLDER
set -eu
FOLDER=${1:?web_sources.sh: no folder given}
PACKAGES="utf8proc pcre2 zlib"
complete=yes
for name in $PACKAGES; do [ -d "$FOLDER/$name" ] || complete=; done
[ -z "$complete" ] || exit 0

mkdir -p "$FOLDER"
FOLDER=$(cd "$FOLDER" && pwd)
STATE=$FOLDER/apt
mkdir -p "$STATE/lists/partial" "$STATE/none"
# The machine's own Debian sources, for sources in place of packages.
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
  sed 's/^Types: .*$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$STATE/debian.sources"
  LIST=$STATE/debian.sources
else
  sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$STATE/debian.list"
  LIST=$STATE/debian.list
fi
cd "$STATE"
apt_here() {
  apt-get -q -o Dir::Etc::SourceList="$LIST" -o Dir::Etc::SourceParts="$STATE/none" -o Dir::State::Lists="$STATE/lists" \
    -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= -o APT::Sandbox::User= "$@" >>"$STATE/log" 2>&1
}
apt_here update || true
for name in $PACKAGES; do
  # Of a security update the patch may be gone from the mirror; what is compiled is the version that it is of.
  apt_here source --download-only "$name" || true
  archive=$(ls "${name}"_*.orig.tar.* 2>/dev/null | grep -v '\.asc$' | tail -n 1)
  if [ -z "$archive" ]; then
    tail -n 20 "$STATE/log" >&2
    echo "web_sources.sh: apt-get source $name brought nothing" >&2
    exit 1
  fi
  rm -rf "$FOLDER/$name.part" && mkdir "$FOLDER/$name.part"
  tar xf "$archive" -C "$FOLDER/$name.part" --strip-components=1
  mv "$FOLDER/$name.part" "$FOLDER/$name"
done
rm -rf "$STATE"
