# Where xsimd's headers are. Used by bpw's own build and, installed, by find_package(bpw).
#
#   BPW_XSIMD_SOURCE  auto    an installed xsimd that fits, else a pinned release (the default)
#                     system  an installed xsimd that fits, or nothing
#                     fetch   the pinned release
include_guard()
cmake_policy(VERSION 3.21...3.30)
include("${CMAKE_CURRENT_LIST_DIR}/host_headers.cmake")

set(BPW_XSIMD_AT_LEAST 13)
set(BPW_XSIMD_BELOW 15)

# The version that the headers in `dir` state, or nothing.
function(bpw_xsimd_version out dir)
    set(config "${dir}/xsimd/config/xsimd_config.hpp")
    set(version "")
    if(EXISTS "${config}")
        file(STRINGS "${config}" lines REGEX "#define XSIMD_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
        list(TRANSFORM lines REPLACE ".* " "")
        list(JOIN lines "." version)
    endif()
    set(${out} "${version}" PARENT_SCOPE)
endfunction()

# The include directory of the target xsimd or xsimd::xsimd, without generator expressions. Only
# the directory is taken: the target of some packages also links xtl without looking for it.
function(bpw_xsimd_target_dir out)
    set(dir "")
    foreach(target IN ITEMS xsimd xsimd::xsimd)
        if(TARGET ${target} AND NOT dir)
            get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
            string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" dirs "${dirs}")
            string(GENEX_STRIP "${dirs}" dirs)
            foreach(candidate IN LISTS dirs)
                if(EXISTS "${candidate}/xsimd/xsimd.hpp")
                    set(dir "${candidate}")
                endif()
            endforeach()
        endif()
    endforeach()
    set(${out} "${dir}" PARENT_SCOPE)
endfunction()

# bpw_find_xsimd(<out> [FETCH])
#
# Sets <out> to the directory that holds xsimd/xsimd.hpp, or to nothing and <out>_ERROR to a
# sentence that says why. FETCH is what `auto` may do besides looking.
function(bpw_find_xsimd out)
    set(may_fetch "${ARGN}")
    set(source auto)
    if(DEFINED BPW_XSIMD_SOURCE)
        set(source "${BPW_XSIMD_SOURCE}")
    endif()
    if(NOT source MATCHES "^(auto|system|fetch)$")
        message(FATAL_ERROR "BPW_XSIMD_SOURCE is '${source}', expected auto, system or fetch")
    endif()

    set(dir "")
    set(found "none was found")
    if(NOT source STREQUAL "fetch")
        # No version is asked for: xsimd's version file accepts its own major version only.
        if(NOT TARGET xsimd AND NOT TARGET xsimd::xsimd)
            find_package(xsimd QUIET)
        endif()
        bpw_xsimd_target_dir(dir)
        if(dir)
            bpw_xsimd_version(version "${dir}")
            if(version VERSION_LESS BPW_XSIMD_AT_LEAST OR NOT version VERSION_LESS BPW_XSIMD_BELOW)
                set(found "${version} was found in ${dir}")
                set(dir "")
            endif()
        endif()
    endif()

    if(NOT dir AND (source STREQUAL "fetch" OR (source STREQUAL "auto" AND may_fetch)))
        # A folder without a CMakeLists.txt as SOURCE_SUBDIR: the headers are wanted, not the project.
        include(FetchContent)
        FetchContent_Declare(
            xsimd
            URL https://github.com/xtensor-stack/xsimd/archive/refs/tags/13.2.0.tar.gz
            URL_HASH SHA256=edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a
            SOURCE_SUBDIR include
        )
        FetchContent_MakeAvailable(xsimd)
        set(dir "${xsimd_SOURCE_DIR}/include")
    endif()

    set(error "")
    if(dir)
        bpw_host_headers(dir "${dir}" xsimd)
    else()
        set(error "bpw needs xsimd ${BPW_XSIMD_AT_LEAST} or newer, below ${BPW_XSIMD_BELOW}: ${found}. ")
        string(APPEND error "Install one, name its prefix in CMAKE_PREFIX_PATH, or set BPW_XSIMD_SOURCE to fetch")
    endif()
    set(${out} "${dir}" PARENT_SCOPE)
    set(${out}_ERROR "${error}" PARENT_SCOPE)
endfunction()
