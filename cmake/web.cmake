# Preset `web`: the engine as one WebAssembly module for the explorer's page (apps/web), compiled by Debian's
# emscripten.  What comes from outside: headers of Highway and nlohmann-json as Debian has them, and three libraries
# compiled from Debian's sources (scripts/web_sources.sh), for which there is no package of this architecture.
enable_language(C)
set(CMAKE_EXECUTABLE_SUFFIX ".wasm")

# Headers that hold everything, and none of the other machine's: /usr/include itself is never in the path.
set(headers ${PROJECT_BINARY_DIR}/headers)
file(MAKE_DIRECTORY ${headers})
foreach(name hwy nlohmann)
  if(NOT EXISTS /usr/include/${name})
    message(FATAL_ERROR "/usr/include/${name} is not here: scripts/install-deps.sh build web")
  endif()
  file(CREATE_LINK /usr/include/${name} ${headers}/${name} SYMBOLIC)
endforeach()
add_library(nlohmann_json INTERFACE)
add_library(nlohmann_json::nlohmann_json ALIAS nlohmann_json)
target_include_directories(nlohmann_json SYSTEM INTERFACE ${headers})

execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/web_sources.sh ${PROJECT_BINARY_DIR}/sources
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the sources of utf8proc, pcre2 and zlib are not here (scripts/web_sources.sh)")
endif()
set(sources ${PROJECT_BINARY_DIR}/sources)

set(LIMPID_WEB_FLAGS -msimd128 -fwasm-exceptions)  # of every source, C too: no relaxed SIMD, whose bits differ
add_compile_options(${LIMPID_WEB_FLAGS} -ffunction-sections -fdata-sections)
# An older version of the library has what the newer one has in C++20's headers (core/old_library.h says what).
target_compile_options(limpid_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-include${PROJECT_SOURCE_DIR}/src/core/old_library.h>
  -Wno-unknown-warning-option -Wno-pass-failed)

add_library(web_utf8proc STATIC ${sources}/utf8proc/utf8proc.c)
target_include_directories(web_utf8proc SYSTEM PUBLIC ${sources}/utf8proc)
target_compile_definitions(web_utf8proc PUBLIC UTF8PROC_STATIC)
target_compile_options(web_utf8proc PRIVATE -Os)

set(pcre2 ${sources}/pcre2/src)
configure_file(${pcre2}/config.h.generic ${PROJECT_BINARY_DIR}/pcre2/config.h COPYONLY)
configure_file(${pcre2}/pcre2.h.generic ${PROJECT_BINARY_DIR}/pcre2/pcre2.h COPYONLY)
configure_file(${pcre2}/pcre2_chartables.c.dist ${PROJECT_BINARY_DIR}/pcre2/pcre2_chartables.c COPYONLY)
set(parts auto_possess compile config context error extuni find_bracket match match_data newline ord2utf
  pattern_info script_run string_utils study tables ucd valid_utf xclass)
list(TRANSFORM parts REPLACE "(.+)" "${pcre2}/pcre2_\\1.c")
add_library(web_pcre2 STATIC ${parts} ${PROJECT_BINARY_DIR}/pcre2/pcre2_chartables.c ${pcre2}/pcre2_jit_compile.c)
target_include_directories(web_pcre2 SYSTEM PUBLIC ${PROJECT_BINARY_DIR}/pcre2 PRIVATE ${pcre2})
target_compile_definitions(web_pcre2 PUBLIC PCRE2_STATIC PRIVATE HAVE_CONFIG_H PCRE2_CODE_UNIT_WIDTH=8 SUPPORT_UNICODE)
target_compile_options(web_pcre2 PRIVATE -w -Os)

set(zlib ${sources}/zlib)
set(parts adler32 compress crc32 deflate inffast inflate inftrees trees zutil)
list(TRANSFORM parts REPLACE "(.+)" "${zlib}/\\1.c")
add_library(web_zlib STATIC ${parts})
target_include_directories(web_zlib SYSTEM PUBLIC ${zlib})
target_compile_options(web_zlib PRIVATE -w -Os)

set(LIMPID_WEB_libutf8proc web_utf8proc)
set(LIMPID_WEB_libpcre2-8 web_pcre2)
set(LIMPID_WEB_zlib web_zlib)

# In place of cmake/needs.cmake: a library that is compiled here, or none where the module has no use for it.
function(limpid_needs module)
  if(DEFINED LIMPID_WEB_${module})
    target_link_libraries(limpid PRIVATE ${LIMPID_WEB_${module}})
    target_link_libraries(limpid_objects INTERFACE ${LIMPID_WEB_${module}})
  endif()
endfunction()
