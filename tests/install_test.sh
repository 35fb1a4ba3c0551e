#!/bin/bash
# Installs a build folder into a fresh prefix and builds against the copy as a user would: once with
# find_package, once with pkg-config; runs both, and sees that every public header was installed.
#
#   tests/install_test.sh build/dev
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?install_test: no build folder given}
if [ ! -f "$build/src/liblimpid.a" ]; then
  echo "install_test: $build/src/liblimpid.a is not built" >&2
  exit 1
fi
if grep -q '^LIMPID_SANITIZE:STRING=.' "$build/CMakeCache.txt"; then
  echo "skipped: a sanitized library is not what is installed"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
passed=0
failed=0
check() {  # check WHAT COMMAND...
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "install: $what: failed"
    tail -n 30 "$work/out"
  fi
}

# What a user sees is listed by hand in cmake/install.cmake: nothing forgotten, nothing that works only in the tree.
check "every public header installed" diff \
  <({ ls include/limpid "$build/include/limpid"; } | grep '\.h$' | sort) \
  <(cd "$prefix/include/limpid" && ls | sort)
for header in "$prefix"/include/limpid/*.h; do
  check "$(basename "$header") compiles alone" g++ -std=c++20 -fsyntax-only -Wall -Wextra -I"$prefix/include" -x c++ "$header"
done

# A C++ snippet of the README is a part of an example, which is built and run below.
snippets() {
  python3 - <<'PYTHON'
import pathlib, re, sys
def lines(text): return "\n" + "\n".join(line.strip() for line in text.splitlines()) + "\n"
examples = [lines(path.read_text()) for path in pathlib.Path("examples").glob("*.cpp")]
found = re.findall(r"```cpp\n(.*?)```", pathlib.Path("README.md").read_text(), flags=re.S)
lost = [s for s in found if not any(lines(s.rstrip()) in e for e in examples)]
print("\n".join("in no example:\n" + s for s in lost))
sys.exit(1 if lost or len(found) < 2 else 0)
PYTHON
}
check "the README's snippets are parts of examples" snippets

consumer=tests/consumer
unset CXXFLAGS CPATH LIBRARY_PATH
with_cmake() {
  cmake -S $consumer -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release && cmake --build "$work/cmake"
}
with_pkg_config() {
  local pc flags
  pc=$(find "$prefix" -name limpid.pc -printf '%h')
  export PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
  flags=$(pkg-config --cflags --libs limpid)
  mkdir -p "$work/pkg"
  local program
  for program in $consumer/*.cpp examples/*.cpp; do
    [ -f "$program" ] || continue
    # shellcheck disable=SC2086  # a list of flags
    g++ -std=c++20 "$program" -o "$work/pkg/$(basename "$program" .cpp)" $flags
  done
}
check "find_package(limpid)" with_cmake
check "pkg-config limpid" with_pkg_config
for program in $consumer/*.cpp examples/*.cpp; do
  [ -f "$program" ] || continue
  name=$(basename "$program" .cpp)
  check "$name runs (find_package)" env -C "$work" "$work/cmake/$name"
  check "$name runs (pkg-config)" env -C "$work" "$work/pkg/$name"
done
if grep -q '^LIMPID_COMMAND_INSTALLED:INTERNAL=ON' "$build/CMakeCache.txt"; then
  check "the program runs where it was installed" "$prefix/bin/limpid" --version
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
