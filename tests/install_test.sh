#!/bin/bash
# Installs a build folder into a fresh prefix and builds against the copy as a user would, once with find_package and
# once with pkg-config, the archive and the shared library; runs what was built, sees that every public header was
# installed, that a program has no library that it does not use, and what the shared library exports.
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

unset CXXFLAGS CPATH LIBRARY_PATH LD_LIBRARY_PATH
programs=$(for program in tests/consumer/*.cpp examples/*.cpp; do basename "$program" .cpp; done)
with_cmake() {  # with_cmake KIND PREFIX: the consumer, and the examples by the CMakeLists.txt beside them
  local folder
  for folder in tests/consumer examples; do
    cmake -S $folder -B "$work/$1-$(basename $folder)" -DCMAKE_PREFIX_PATH="$2" -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$work/$1-cmake" && cmake --build "$work/$1-$(basename $folder)" || return
  done
}
pkg() {  # pkg KIND PREFIX ARGUMENTS...: pkg-config of that copy alone
  local folder module=limpid
  [ "$1" != shared ] || module=limpid-shared
  folder=$(find "$2" -name $module.pc -printf '%h')
  shift 2
  PKG_CONFIG_PATH=$folder pkg-config "$@" $module
}
with_pkg_config() {  # with_pkg_config KIND PREFIX
  local program flags
  flags=$(pkg "$1" "$2" --cflags --libs)
  mkdir -p "$work/$1-pkg"
  for program in tests/consumer/*.cpp examples/*.cpp; do
    # shellcheck disable=SC2086  # a list of flags
    g++ -std=c++20 "$program" -o "$work/$1-pkg/$(basename "$program" .cpp)" $flags || return
  done
}
needed() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'; }
no_more_than() {  # no_more_than PROGRAM REGEX: what it links, beside the language's own libraries
  local more
  more=$(needed "$1" | grep -vE "^(libstdc\\+\\+|libgcc_s|libm|libc|ld-linux.*|libpthread)\\.so|^($2)\\.so" || true)
  [ -z "$more" ] || { echo "$1 also links $more"; return 1; }
}
same() { [ "$1" = "$2" ] || { echo "'$1', expected '$2'"; return 1; }; }

shown_in_readme() {  # shown_in_readme PROGRAM: its output is a part of the README
  python3 -c 'import sys; sys.exit(sys.stdin.read() not in open("README.md").read())' \
    < <(LD_LIBRARY_PATH="$libraries" "$1")
}

check_kind() {  # check_kind KIND PREFIX LIBRARIES: LIBRARIES is what a program that only attends links
  local kind=$1 where=$2 how name libraries
  check "$kind: find_package(limpid)" with_cmake "$kind" "$where"
  check "$kind: pkg-config limpid" with_pkg_config "$kind" "$where"
  check "$kind: users get no definitions" same "$(pkg "$kind" "$where" --cflags-only-other)" ""
  libraries=$(dirname "$(find "$where" -name 'liblimpid.*' | head -n 1)")
  for how in cmake pkg; do
    for name in $programs; do
      check "$kind: $name runs ($how)" env -C "$work" LD_LIBRARY_PATH="$libraries" "$work/$kind-$how/$name"
    done
    check "$kind: the README shows what the attention example prints ($how)" shown_in_readme "$work/$kind-$how/attention"
    check "$kind: who attends links no more than that ($how)" no_more_than "$work/$kind-$how/attention" "$3"
    check "$kind: nor does the smallest program ($how)" no_more_than "$work/$kind-$how/tensor" "$3"
  done
}
check_kind static "$prefix" libhwy

# Several ranks: the installed program finds its module.
if [ -f "$build/limpid_mpi.so" ] && command -v mpirun >/dev/null; then
  root=
  [ "$(id -u)" != 0 ] || root=--allow-run-as-root
  # shellcheck disable=SC2086
  check "the installed program trains on two ranks" env TMPDIR=/tmp mpirun $root --oversubscribe -n 2 "$prefix/bin/limpid" train \
    recipes/textbook.json -o "$work/on-ranks"
fi

# The shared library: from the same objects, a component of its own.
shared=$work/shared
install_shared() {
  cmake --build "$build" --target limpid_shared && cmake --install "$build" --prefix "$shared" &&
    cmake --install "$build" --component limpid_shared --prefix "$work/alone" &&
    cp -r "$work/alone/." "$shared"
}
# Each kind's files have names of their own: neither install takes one of the other's away.
no_file_of_both() { same "$(comm -12 <(files_in "$prefix") <(files_in "$work/alone"))" ""; }
files_in() { (cd "$1" && find . ! -type d | sort); }
in_one_prefix() {  # what each name of pkg-config means where both are installed: the archive, the shared library
  same "$(pkg static "$shared" --libs)" "$(pkg static "$prefix" --libs | sed "s|$prefix|$shared|g")" &&
    no_more_than "$work/both" libhwy
}
archive_beside_shared() {
  # shellcheck disable=SC2046  # a list of flags
  g++ -std=c++20 tests/consumer/tensor.cpp -o "$work/both" $(pkg static "$shared" --cflags --libs)
}
exports() {  # what public headers declare, with Error's type information; nothing of the inside, no other library
  local library symbols
  library=$(find "$shared" -name 'liblimpid.so')
  symbols=$(nm -DC --defined-only "$library" | cut -c18-)
  same "$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" \
    "liblimpid.so.$(sed -n 's/^set(PACKAGE_VERSION "\([0-9]*\.[0-9]*\).*/\1/p' "$build/limpidConfigVersion.cmake")" || return
  local name
  for name in 'typeinfo for limpid::Error' 'limpid::fused::forward(' 'limpid::Model::trace(' 'limpid::set_threads('; do
    grep -qF "$name" <<<"$symbols" || { echo "$name is not exported"; return 1; }
  done
  ! grep -E '^. (typeinfo for |vtable for )?(limpid::(kernels|parallel|run_tasks|run_on_pool|allocate|make_plan)|hwy::|nlohmann::)' <<<"$symbols"
}
check "shared: installs" install_shared
check "no file is installed by both kinds" no_file_of_both
check "both: the archive links beside the shared library" archive_beside_shared
check "both: pkg-config limpid is the archive" in_one_prefix
find "$shared" -name 'liblimpid.a' -delete
check "shared: exports its interface and no more" exports
check "shared: pkg-config asks for nothing else" same "$(pkg shared "$shared" --libs-only-l | xargs)" "-llimpid"
check_kind shared "$shared" liblimpid

if [ -f "$build/limpid.1" ]; then
  check "the manual page is installed" test -s "$prefix/share/man/man1/limpid.1"
fi
if grep -q '^LIMPID_COMMAND_INSTALLED:INTERNAL=ON' "$build/CMakeCache.txt"; then
  check "the program runs where it was installed" "$prefix/bin/limpid" --version
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
