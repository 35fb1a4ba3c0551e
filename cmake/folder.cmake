# limpid_folder(NAME [LIGHT] SOURCES a.cpp ... TESTS a_test.cpp ...)
#
# Adds one folder of src/ to the library, and its tests (which sit beside their source) as the
# program test_NAME.  LIGHT: it computes little, and is optimised less.  Folders are listed in src/CMakeLists.txt.
if(LIMPID_TESTS)
  find_package(GTest REQUIRED)
  find_package(rapidcheck CONFIG REQUIRED)
  enable_testing()
endif()

function(limpid_folder name)
  cmake_parse_arguments(arg "LIGHT" "" "SOURCES;TESTS" ${ARGN})
  list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  target_sources(limpid PRIVATE ${arg_SOURCES})
  if(arg_LIGHT)
    set_source_files_properties(${arg_SOURCES} TARGET_DIRECTORY limpid PROPERTIES COMPILE_OPTIONS "${LIMPID_LIGHT}")
  endif()
  if(LIMPID_TESTS AND arg_TESTS)
    limpid_test(test_${name} ${arg_TESTS})
  endif()
endfunction()

function(limpid_test program)
  add_executable(${program} ${ARGN})
  target_link_libraries(${program} PRIVATE limpid limpid_light_flags GTest::gtest_main rapidcheck nlohmann_json::nlohmann_json)
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(${program} PRIVATE LIMPID_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${program} COMMAND ${program} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
