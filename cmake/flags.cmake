# What every target is compiled with.  One place, so that the same source gives the same bits everywhere.
add_library(limpid_flags INTERFACE)
target_compile_options(limpid_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # GCC 12 warns of every "text" + std::string (its bug 105651)
  -ffp-contract=off)  # a fused multiply-add is written, never left to the compiler
if(LIMPID_SANITIZE)
  target_compile_options(limpid_flags INTERFACE -fsanitize=${LIMPID_SANITIZE} -fno-omit-frame-pointer)
  if(LIMPID_SANITIZE MATCHES "undefined")
    target_compile_options(limpid_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
  target_link_options(limpid_flags INTERFACE -fsanitize=${LIMPID_SANITIZE})
endif()

# For what handles text and files from outside, where it costs no arithmetic: a write past the end of an array on the
# stack, or of one whose size the compiler knows, ends the program instead of going on.  Sanitizers check more.
set(LIMPID_HARDENED "")
set(LIMPID_HARDENED_LINK "")
if(NOT LIMPID_SANITIZE AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  set(LIMPID_HARDENED -fstack-protector-strong -fstack-clash-protection
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
  # Addresses that differ from run to run (PIE), and tables of functions that nobody can write once it runs (full RELRO).
  set(LIMPID_HARDENED_LINK -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES CXX)
endif()

# For what computes little (the tests, the command, what writes and draws): a third less compiling.
set(LIMPID_LIGHT $<$<AND:$<CXX_COMPILER_ID:GNU,Clang>,$<CONFIG:Release>>:-O1>)
if(EMSCRIPTEN)  # what a page carries is small before it is fast; the kernels are fast all the same
  set(LIMPID_LIGHT -Os)
endif()
if(LIMPID_SANITIZE AND LIMPID_TESTS)
  set(LIMPID_LIGHT -O0)  # half the compiling, with the checks that sanitizers add
endif()
add_library(limpid_light_flags INTERFACE)
target_link_libraries(limpid_light_flags INTERFACE limpid_flags)
target_compile_options(limpid_light_flags INTERFACE ${LIMPID_LIGHT})
