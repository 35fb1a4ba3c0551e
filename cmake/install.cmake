# cmake --install: the program, the library, its headers, and the files that find_package(limpid) and
# pkg-config read.  tests/install_test.sh builds against an installed copy.
include(CMakePackageConfigHelpers)

# What a C++ user includes, listed by hand: a header is public because somebody decided so.
set(LIMPID_PUBLIC_HEADERS
  api.h
  attention.h
  data.h
  draw.h
  engine.h
  error.h
  diff.h
  explain.h
  files.h
  gguf.h
  graph.h
  heads.h
  image.h
  lens.h
  model.h
  architecture.h
  network.h
  ops.h
  optimizer.h
  random.h
  ranks.h
  recipe.h
  rollout.h
  run_folder.h
  scene.h
  chat.h
  stored.h
  tasks.h
  tensor.h
  tensor_source.h
  text.h
  threads.h
  torch_file.h
  trace.h
  train.h
)
list(TRANSFORM LIMPID_PUBLIC_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/limpid/)
list(APPEND LIMPID_PUBLIC_HEADERS ${PROJECT_BINARY_DIR}/include/limpid/version.h)  # written by CMake
install(FILES ${LIMPID_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/limpid)

# Found from the program in bin/ and from the library in lib/ or lib/ARCHITECTURE/ (src/train/ranks.cpp).
if(TARGET limpid_mpi)
  install(TARGETS limpid_mpi LIBRARY DESTINATION lib/limpid)
endif()

set(LIMPID_COMMAND_INSTALLED OFF CACHE INTERNAL "")
if(TARGET limpid_program)
  install(TARGETS limpid_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set(LIMPID_COMMAND_INSTALLED ON CACHE INTERNAL "")
  find_package(Python3 COMPONENTS Interpreter QUIET)
  if(Python3_FOUND AND NOT CMAKE_CROSSCOMPILING AND NOT LIMPID_SANITIZE)  # the manual page is made of the program's own help
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/limpid.1
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/docs/man.py $<TARGET_FILE:limpid_program>
              -o ${PROJECT_BINARY_DIR}/limpid.1
      DEPENDS limpid_program ${PROJECT_SOURCE_DIR}/docs/man.py VERBATIM)
    add_custom_target(limpid_man ALL DEPENDS ${PROJECT_BINARY_DIR}/limpid.1)
    install(FILES ${PROJECT_BINARY_DIR}/limpid.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  endif()
endif()

# What a program that takes the static library links besides: each library of the system only if the program
# reaches what needs it, so that one that only attends has no archive and no regex library.  One word, because
# CMake would take the options apart.
get_property(modules GLOBAL PROPERTY limpid_needed)
list(REMOVE_DUPLICATES modules)
set(needed "")
foreach(module ${modules})
  foreach(folder ${LIMPID_${module}_LIBRARY_DIRS})
    list(APPEND needed -L${folder})
  endforeach()
  list(TRANSFORM LIMPID_${module}_LIBRARIES PREPEND -l OUTPUT_VARIABLE libraries)
  list(APPEND needed ${libraries})
endforeach()
if(LIMPID_THREADS)
  list(APPEND needed -lpthread)
endif()
list(JOIN needed "," needed)
include(CheckLinkerFlag)
check_linker_flag(CXX LINKER:--push-state,--as-needed,--pop-state LIMPID_LINKS_AS_NEEDED)
if(LIMPID_LINKS_AS_NEEDED)
  set(needed "--push-state,--as-needed,${needed},--pop-state")
endif()
target_link_libraries(limpid INTERFACE $<INSTALL_INTERFACE:-Wl,${needed}>)

# limpid_install(TARGET MODULE LIBS [COMPONENT name EXCLUDE_FROM_ALL]): a library and what find_package and pkg-config
# (as MODULE) say of it.  MODULE.pc finds its prefix from its own place, so that an installed tree can be moved.
function(limpid_install target LIMPID_PC_MODULE LIMPID_PC_LIBS)
  install(TARGETS ${target} EXPORT ${target}Targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} ${ARGN}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ${ARGN})
  set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/limpid)
  install(EXPORT ${target}Targets NAMESPACE limpid:: FILE ${target}Targets.cmake DESTINATION ${package_folder} ${ARGN})
  file(RELATIVE_PATH LIMPID_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" LIMPID_PC_PREFIX "${LIMPID_PC_PREFIX}")
  configure_file(cmake/limpid.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/${LIMPID_PC_MODULE}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/${LIMPID_PC_MODULE}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig ${ARGN})
endfunction()

configure_package_config_file(cmake/limpidConfig.cmake.in ${PROJECT_BINARY_DIR}/limpidConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/limpid)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/limpidConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/limpidConfig.cmake ${PROJECT_BINARY_DIR}/limpidConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/limpid)

# Both kinds have their rules, so that the test can have both from one build; the other kind is a component that
# plain `cmake --install` leaves out: cmake --build B --target limpid_shared; cmake --install B --component limpid_shared
# Their files have names of their own, so that both can stand in one prefix: for pkg-config `limpid` is what plain
# `cmake --install` installs, and the component is limpid-shared or limpid-static.  The archive is named by its path:
# -llimpid would take the shared library that stands beside it.
set(archive "\${libdir}/liblimpid.a -Wl,${needed}")
if(BUILD_SHARED_LIBS)
  limpid_install(limpid_shared limpid "-llimpid")
  limpid_install(limpid limpid-static "${archive}" COMPONENT limpid EXCLUDE_FROM_ALL)
else()
  limpid_install(limpid limpid "${archive}")
  limpid_install(limpid_shared limpid-shared "-llimpid" COMPONENT limpid_shared EXCLUDE_FROM_ALL)
endif()

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
