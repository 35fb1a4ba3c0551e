# limpid_needs(MODULE): limpid links this library of the system, named as pkg-config names it.
#
# One line serves three: the build here, and what limpidTargets.cmake and limpid.pc tell the linker of a program
# that takes the static library (cmake/install.cmake).
find_package(PkgConfig REQUIRED)

function(limpid_needs module)
  pkg_check_modules(LIMPID_${module} REQUIRED IMPORTED_TARGET GLOBAL ${module})
  target_link_libraries(limpid PRIVATE $<BUILD_INTERFACE:PkgConfig::LIMPID_${module}>)
  target_link_libraries(limpid_objects INTERFACE PkgConfig::LIMPID_${module})
  set_property(GLOBAL APPEND PROPERTY limpid_needed ${module})
endfunction()
