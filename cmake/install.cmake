# cmake --install: the program, the library, its headers, and the files that find_package(limpid) and
# pkg-config read.  tests/install_test.sh builds against an installed copy.
include(CMakePackageConfigHelpers)

# What a C++ user includes, listed by hand: a header is public because somebody decided so.
set(LIMPID_PUBLIC_HEADERS
  attention.h
  draw.h
  engine.h
  error.h
  explain.h
  files.h
  graph.h
  model.h
  network.h
  ops.h
  scene.h
  tensor.h
  text.h
  trace.h
  train.h
)
list(TRANSFORM LIMPID_PUBLIC_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/limpid/)
list(APPEND LIMPID_PUBLIC_HEADERS ${PROJECT_BINARY_DIR}/include/limpid/version.h)  # written by CMake
install(FILES ${LIMPID_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/limpid)

install(TARGETS limpid EXPORT limpidTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(LIMPID_COMMAND_INSTALLED OFF CACHE INTERNAL "")
if(TARGET limpid_program)
  install(TARGETS limpid_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set(LIMPID_COMMAND_INSTALLED ON CACHE INTERNAL "")
endif()

get_property(LIMPID_NEEDED GLOBAL PROPERTY limpid_needed)
list(REMOVE_DUPLICATES LIMPID_NEEDED)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/limpid)
install(EXPORT limpidTargets NAMESPACE limpid:: DESTINATION ${package_folder})
configure_package_config_file(cmake/limpidConfig.cmake.in ${PROJECT_BINARY_DIR}/limpidConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/limpidConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/limpidConfig.cmake ${PROJECT_BINARY_DIR}/limpidConfigVersion.cmake
  DESTINATION ${package_folder})

# limpid.pc finds its prefix from its own place, so that an installed tree can be moved.
list(JOIN LIMPID_NEEDED " " LIMPID_PC_REQUIRES)
set(LIMPID_PC_LIBS "-llimpid")
if(LIMPID_THREADS)
  string(APPEND LIMPID_PC_LIBS " ${OpenMP_CXX_FLAGS}")
endif()
file(RELATIVE_PATH LIMPID_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" LIMPID_PC_PREFIX "${LIMPID_PC_PREFIX}")
configure_file(cmake/limpid.pc.in ${PROJECT_BINARY_DIR}/limpid.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/limpid.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
