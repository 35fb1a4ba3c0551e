# limpid_folder(NAME [LIGHT] [HARDENED] [ALONE] SOURCES a.cpp ... TESTS a_test.cpp ...)
#
# Adds one folder of src/ to the library, and its tests (which sit beside their source) as the
# program test_NAME.  LIGHT: it computes little, and is optimised less.  HARDENED: it reads what comes from outside
# (cmake/flags.cmake says what that adds).  ALONE: each source is a compiler run of its own.  Folders are listed in src/CMakeLists.txt.
if(LIMPID_TESTS)
  find_package(GTest REQUIRED)
  find_package(rapidcheck CONFIG REQUIRED)
  enable_testing()
endif()

function(limpid_folder name)
  cmake_parse_arguments(arg "LIGHT;HARDENED;ALONE" "" "SOURCES;TESTS" ${ARGN})
  add_library(limpid_${name} OBJECT ${arg_SOURCES})
  target_link_libraries(limpid_${name} PRIVATE limpid_objects)
  set_target_properties(limpid_${name} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(NOT arg_ALONE)
    limpid_unity(limpid_${name})
  endif()
  if(arg_LIGHT OR (EMSCRIPTEN AND NOT name STREQUAL "kernels"))
    target_compile_options(limpid_${name} PRIVATE ${LIMPID_LIGHT})
  endif()
  if(arg_HARDENED)
    target_compile_options(limpid_${name} PRIVATE ${LIMPID_HARDENED})
  endif()
  target_sources(limpid PRIVATE $<TARGET_OBJECTS:limpid_${name}>)
  if(LIMPID_TESTS AND arg_TESTS)
    limpid_test(test_${name} ${arg_TESTS})
    if(arg_ALONE)
      set_target_properties(test_${name} PROPERTIES UNITY_BUILD OFF)
      if(LIMPID_SANITIZE)  # they compute: what a light program saves in compiling costs more in running
        target_compile_options(test_${name} PRIVATE -O1)
      endif()
    endif()
  endif()
endfunction()

# Several sources a compiler run, where LIMPID_UNITY asks for it: most of the time of a small source goes into the
# headers that it includes.  Names of anonymous namespaces are then shared by neighbours; a source that follows a
# pattern of names (a format of draw/) is left out by SKIP_UNITY_BUILD_INCLUSION.
function(limpid_unity target)
  if(LIMPID_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

function(limpid_test program)
  add_executable(${program} ${ARGN})
  limpid_unity(${program})
  target_link_libraries(${program} PRIVATE limpid limpid_light_flags GTest::gtest_main rapidcheck nlohmann_json::nlohmann_json)
  if(LIMPID_SANITIZE MATCHES "undefined")  # what it looks for is in the library; half the compiling of a test
    target_compile_options(${program} PRIVATE -fno-sanitize=undefined)
  endif()
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(${program} PRIVATE LIMPID_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${program} COMMAND ${program} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
