# Kernels compiled once for every instruction-set level into one target. Used by bpw's own build
# and, installed, by find_package(bpw).
include_guard()
include("${CMAKE_CURRENT_LIST_DIR}/arch.cmake")

# bpw_add_kernels(<target> ARCHS <level>... SOURCES <source>...)
#
# Adds to a target one copy of each source for each level, compiled with the level's flags besides
# the target's own, and tells <bpw/dispatch.hpp> in the target's sources which levels there are.
# Levels: scalar; sse4.1, avx2, avxvnni, avx512 for x86; neon, dotprod, i8mm for AArch64. The other
# sources of the target are best compiled without flags for a level.
function(bpw_add_kernels target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ARCHS;SOURCES")
    if(NOT TARGET ${target})
        message(FATAL_ERROR "bpw_add_kernels: '${target}' is no target")
    endif()
    if(NOT arg_ARCHS OR NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "bpw_add_kernels(${ARGV}): expected a target, ARCHS with the levels and SOURCES")
    endif()

    # Lowest first, which is also the order of linking.
    bpw_arch_levels(known)
    list(REMOVE_ITEM known native)
    set(levels ${known})
    foreach(level IN LISTS arg_ARCHS)
        if(NOT level IN_LIST known)
            list(JOIN known ", " expected)
            message(FATAL_ERROR "bpw_add_kernels(${target}): level '${level}' is none of this processor family, expected some of ${expected}")
        endif()
    endforeach()
    foreach(level IN LISTS known)
        if(NOT level IN_LIST arg_ARCHS)
            list(REMOVE_ITEM levels ${level})
        endif()
    endforeach()

    list(TRANSFORM levels REPLACE "\\." "_" OUTPUT_VARIABLE identifiers)
    list(TRANSFORM identifiers PREPEND "bpw::arch::")
    list(JOIN identifiers "," identifiers)
    get_target_property(earlier ${target} BPW_KERNEL_ARCHS)
    if(NOT earlier)
        set_target_properties(${target} PROPERTIES BPW_KERNEL_ARCHS "${levels}")
        target_compile_definitions(${target} PRIVATE "BPW_KERNEL_ARCHS=${identifiers}")
    elseif(NOT earlier STREQUAL levels)
        message(FATAL_ERROR "bpw_add_kernels(${target}): the levels are '${levels}', but '${earlier}' in an earlier call; expected the same")
    endif()

    set(copies "")
    foreach(level IN LISTS levels)
        bpw_arch_flags(flags ${level})
        string(REPLACE "." "_" identifier ${level})
        foreach(source IN LISTS arg_SOURCES)
            get_filename_component(path ${source} ABSOLUTE)
            file(RELATIVE_PATH name ${CMAKE_CURRENT_SOURCE_DIR} ${path})
            string(REPLACE ".." "_" name ${name})
            set(copy ${CMAKE_CURRENT_BINARY_DIR}/bpw_kernels/${target}/${level}/${name})
            file(CONFIGURE OUTPUT ${copy} @ONLY CONTENT
[[#include "@path@"

#include <bpw/core/arch.hpp>
static_assert(
    bpw::this_arch == bpw::arch::@identifier@,
    "bpw_add_kernels compiles this source for level @level@, but the flags of target @target@ set another one");
]])
            set_source_files_properties(
                ${copy}
                TARGET_DIRECTORY ${target}
                PROPERTIES
                    COMPILE_OPTIONS "${flags}"
                    SKIP_PRECOMPILE_HEADERS ON
                    SKIP_UNITY_BUILD_INCLUSION ON
            )
            list(APPEND copies ${copy})
        endforeach()
    endforeach()
    # Behind all other sources of the target: where the compiler leaves copies of one inline
    # function in several objects, the linker keeps the first, which must be the one for the lowest
    # level.
    get_target_property(directory ${target} SOURCE_DIR)
    list(JOIN copies "]] [[" copies)
    cmake_language(EVAL CODE
        "cmake_language(DEFER DIRECTORY [[${directory}]] CALL target_sources ${target} PRIVATE [[${copies}]])"
    )
endfunction()
