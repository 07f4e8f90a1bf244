# What only bpw's own programs need: warnings, sanitizers, instruction-set levels. A project that
# takes bpw in never reads this file.

set(BPW_ARCH "" CACHE STRING
    "Instruction-set levels of tests, examples and benchmarks, the last one for programs that have one; empty: all levels")
option(BPW_WERROR "Make warnings errors" OFF)
option(BPW_QUICK_BUILD "Optimise neither programs, but for their kernels, nor tests of little work" OFF)
set(BPW_SANITIZE "" CACHE STRING "Sanitizers, for instance address,undefined")

if(PROJECT_IS_TOP_LEVEL)
    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
    endif()
    find_program(BPW_CCACHE ccache)
    mark_as_advanced(BPW_CCACHE)
    if(BPW_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
        set(CMAKE_CXX_COMPILER_LAUNCHER ${BPW_CCACHE})
    endif()
    set(CMAKE_CXX_EXTENSIONS OFF)
    set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
endif()

set(bpw_levels ${BPW_ARCH})
if(NOT bpw_levels)
    bpw_arch_levels(bpw_levels)
endif()
# Programs are for this machine.
if(BPW_ARCH OR CMAKE_CROSSCOMPILING)
    list(GET bpw_levels -1 bpw_program_level)
else()
    set(bpw_program_level native)
endif()

add_library(bpw_dev INTERFACE)
target_link_libraries(bpw_dev INTERFACE bpw::bpw)
target_compile_options(
    bpw_dev
    INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<BOOL:${BPW_WERROR}>:-Werror>
)
if(BPW_SANITIZE)
    target_compile_options(
        bpw_dev
        INTERFACE -fsanitize=${BPW_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    )
    target_link_options(bpw_dev INTERFACE -fsanitize=${BPW_SANITIZE})
endif()

set(bpw_quick_options $<$<BOOL:${BPW_QUICK_BUILD}>:-O0>)

# bpw_target_level(<target> [<level>]): compiles a target for a level, by default the programs'.
function(bpw_target_level target)
    set(level ${bpw_program_level})
    if(ARGC GREATER 1)
        set(level ${ARGV1})
    endif()
    bpw_arch_flags(flags ${level})
    target_compile_options(${target} PRIVATE ${flags})
endfunction()

# bpw_header_library(<target> <name> <header>): an INTERFACE target for an installed header-only
# library whose headers lie in a folder of that name.
function(bpw_header_library target name header)
    find_path(${target}_DIR ${name}/${header} NO_CMAKE_FIND_ROOT_PATH REQUIRED)
    mark_as_advanced(${target}_DIR)
    bpw_host_headers(dir "${${target}_DIR}" ${name})
    add_library(${target} INTERFACE)
    target_include_directories(${target} SYSTEM INTERFACE ${dir})
endfunction()
