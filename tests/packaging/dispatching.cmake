# Included by the outside projects: a program with kernels for several levels.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(levels neon dotprod i8mm)
else()
    set(levels avx512 scalar sse4.1 avx2)
endif()
add_executable(dispatching ../dispatching.cpp)
target_link_libraries(dispatching PRIVATE bpw::bpw)
bpw_add_kernels(dispatching ARCHS ${levels} SOURCES ../dispatching_kernels.cpp)
