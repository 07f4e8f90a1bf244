# Rules that install the headers, the CMake package and the pkg-config file. Nothing in them
# depends on the processor, so they go below share/.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(bpw_package_dir ${CMAKE_INSTALL_DATAROOTDIR}/cmake/bpw)

install(
    DIRECTORY ${PROJECT_SOURCE_DIR}/include/bpw
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc"
)
install(TARGETS bpw EXPORT bpwTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT bpwTargets NAMESPACE bpw:: DESTINATION ${bpw_package_dir})

configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/bpwConfig.cmake.in
    ${PROJECT_BINARY_DIR}/bpwConfig.cmake
    INSTALL_DESTINATION ${bpw_package_dir}
    NO_SET_AND_CHECK_MACRO
    NO_CHECK_REQUIRED_COMPONENTS_MACRO
)
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/bpwConfigVersion.cmake
    COMPATIBILITY SameMajorVersion
    ARCH_INDEPENDENT
)
install(
    FILES
        ${PROJECT_BINARY_DIR}/bpwConfig.cmake
        ${PROJECT_BINARY_DIR}/bpwConfigVersion.cmake
        ${PROJECT_SOURCE_DIR}/cmake/arch.cmake
        ${PROJECT_SOURCE_DIR}/cmake/kernels.cmake
        ${PROJECT_SOURCE_DIR}/cmake/xsimd.cmake
        ${PROJECT_SOURCE_DIR}/cmake/host_headers.cmake
    DESTINATION ${bpw_package_dir}
)

configure_file(${PROJECT_SOURCE_DIR}/cmake/bpw.pc.in ${PROJECT_BINARY_DIR}/bpw.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/bpw.pc DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE.md
    DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/bpw
)
