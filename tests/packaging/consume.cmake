# Configures, builds and runs an outside project that takes bpw in one of the three usual ways.
#   KIND       installed, subdirectory or fetchcontent
#   SOURCE     bpw's source tree          BUILD      bpw's build tree
#   WORK       an empty folder to use     GENERATOR, COMPILER, XSIMD, PKG_CONFIG
cmake_minimum_required(VERSION 3.21)

function(run)
    execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT status EQUAL 0)
        list(JOIN ARGV " " command)
        message(FATAL_ERROR "failed (${status}): ${command}\n${output}")
    endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
set(here ${CMAKE_CURRENT_LIST_DIR})
set(settings -G ${GENERATOR} -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_BUILD_TYPE=Release)

if(KIND STREQUAL "installed")
    # Installed in one place and used from another: the package may not know where it was built.
    run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/staging)
    file(RENAME ${WORK}/staging ${WORK}/prefix)
    file(GLOB_RECURSE installed ${WORK}/prefix/*.cmake ${WORK}/prefix/*.pc)
    foreach(file IN LISTS installed)
        file(READ ${file} text)
        foreach(place IN ITEMS ${SOURCE}/ ${BUILD}/ ${WORK}/)
            string(FIND "${text}" "${place}" at)
            if(NOT at EQUAL -1)
                message(FATAL_ERROR "${file} names ${place}, which only the build machine has")
            endif()
        endforeach()
    endforeach()
    list(APPEND settings -D CMAKE_PREFIX_PATH=${WORK}/prefix)
elseif(KIND STREQUAL "subdirectory")
    list(APPEND settings -D BPW_SOURCE=${SOURCE})
else()
    list(APPEND settings -D FETCHCONTENT_SOURCE_DIR_BPW=${SOURCE})
    # The pinned xsimd goes the way of a download, from a copy of the headers in use.
    file(MAKE_DIRECTORY ${WORK}/xsimd/include)
    file(COPY ${XSIMD}/xsimd DESTINATION ${WORK}/xsimd/include)
    list(APPEND settings -D BPW_XSIMD_SOURCE=fetch -D FETCHCONTENT_SOURCE_DIR_XSIMD=${WORK}/xsimd)
endif()

run(${CMAKE_COMMAND} -S ${here}/${KIND} -B ${WORK}/build ${settings})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)
run(${WORK}/build/dispatching)

if(NOT KIND STREQUAL "installed")
    # bpw came in as a part of another project, so installing that project installs none of it.
    run(${CMAKE_COMMAND} --install ${WORK}/build --prefix ${WORK}/prefix)
    file(GLOB_RECURSE installed ${WORK}/prefix/*)
    if(NOT installed STREQUAL "${WORK}/prefix/bin/consumer")
        message(FATAL_ERROR "the outside project should install bin/consumer alone, but installs: ${installed}")
    endif()
elseif(PKG_CONFIG)
    execute_process(
        COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${WORK}/prefix/share/pkgconfig ${PKG_CONFIG} --cflags --libs bpw
        RESULT_VARIABLE status OUTPUT_VARIABLE flags ERROR_VARIABLE why
    )
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "pkg-config does not know bpw: ${why}")
    endif()
    separate_arguments(flags UNIX_COMMAND "${flags}")
    run(${COMPILER} -std=c++20 ${here}/consumer.cpp ${flags} -o ${WORK}/by_pkg_config)
    run(${WORK}/by_pkg_config)
endif()
