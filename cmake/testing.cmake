# How tests are declared: bpw_add_test and bpw_add_compile_fail_test.

# The system's GoogleTest, or its sources where the distribution packages them: a library for
# another processor or instrumented for a sanitizer is not to be had ready.
if(NOT CMAKE_CROSSCOMPILING AND NOT BPW_SANITIZE)
    find_package(GTest QUIET)
endif()
if(NOT TARGET GTest::gtest)
    find_path(
        BPW_GOOGLETEST_DIR googletest/src/gtest-all.cc
        PATHS /usr/src/googletest
        NO_CMAKE_FIND_ROOT_PATH
    )
    mark_as_advanced(BPW_GOOGLETEST_DIR)
    if(NOT BPW_GOOGLETEST_DIR)
        message(FATAL_ERROR "bpw's tests need GoogleTest: neither a package nor its sources (BPW_GOOGLETEST_DIR) were found")
    endif()
    set(INSTALL_GTEST OFF)
    set(BUILD_GMOCK OFF)
    add_subdirectory(${BPW_GOOGLETEST_DIR} ${PROJECT_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
    if(BPW_SANITIZE)
        target_compile_options(gtest PRIVATE -fsanitize=${BPW_SANITIZE} -fno-omit-frame-pointer)
    endif()
    if(NOT TARGET GTest::gtest)
        add_library(GTest::gtest ALIAS gtest)
    endif()
endif()

# bpw_add_test_program(<target> <level> <source>...): one test executable and its ctest entry.
function(bpw_add_test_program target level)
    bpw_arch_flags(flags ${level})
    add_executable(${target} ${ARGN})
    target_link_libraries(${target} PRIVATE bpw_dev bpw_test_main_${level} GTest::gtest)
    target_compile_options(${target} PRIVATE ${flags})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(
        ${target}
        PRIVATE
            BPW_EXPECT_ARCH="${level}"
            BPW_TEST_DATA_DIR="${PROJECT_SOURCE_DIR}/tests/data"
    )
    add_test(NAME ${target} COMMAND ${target})
    set_tests_properties(
        ${target}
        PROPERTIES
            SKIP_RETURN_CODE 77
            ENVIRONMENT "GTEST_BRIEF=1;GTEST_COLOR=no"
    )
endfunction()

# The main function of a level's tests. It decides whether this processor can run them, so it is
# compiled without the level's flags.
function(bpw_add_test_main level)
    if(NOT TARGET bpw_test_main_${level})
        bpw_arch_flags(flags ${level})
        add_library(bpw_test_main_${level} OBJECT ${PROJECT_SOURCE_DIR}/tests/main.cpp)
        target_link_libraries(bpw_test_main_${level} PRIVATE bpw_dev GTest::gtest)
        target_compile_definitions(bpw_test_main_${level} PRIVATE BPW_EXPECT_ARCH="${level}")
    endif()
endfunction()

# bpw_add_test(<name> [LEVELS [EXCEPT <level>...]] SOURCES <source>...)
#
# With LEVELS one executable <name>.<level> for every instruction-set level of this build, without
# it the single executable <name> for the highest one.
function(bpw_add_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "LEVELS" "" "EXCEPT;SOURCES")
    if(NOT arg_LEVELS)
        bpw_add_test_main(${bpw_program_level})
        bpw_add_test_program(${name} ${bpw_program_level} ${arg_SOURCES})
        return()
    endif()
    # A build for one level keeps it.
    set(levels ${bpw_levels})
    if(NOT BPW_ARCH)
        list(REMOVE_ITEM levels ${arg_EXCEPT} "")
    endif()
    foreach(level IN LISTS levels)
        bpw_add_test_main(${level})
        bpw_add_test_program(${name}.${level} ${level} ${arg_SOURCES})
    endforeach()
endfunction()

# bpw_add_compile_fail_test(<name> <source> <sentence> [<definition>...])
#
# Passes when the compiler refuses the source, compiled with these macros defined, with exactly one
# error, which contains the sentence. That does not depend on the processor.
function(bpw_add_compile_fail_test name source sentence)
    if(CMAKE_CROSSCOMPILING)
        return()
    endif()
    list(TRANSFORM ARGN PREPEND -D OUTPUT_VARIABLE definitions)
    add_test(
        NAME compile_fail.${name}
        COMMAND
            ${CMAKE_COMMAND}
            -D "COMPILER=${CMAKE_CXX_COMPILER}"
            -D "FLAGS=-std=c++20;${definitions}"
            -D "INCLUDES=$<TARGET_PROPERTY:bpw,INTERFACE_INCLUDE_DIRECTORIES>"
            -D "SOURCE=${CMAKE_CURRENT_SOURCE_DIR}/${source}"
            -D "SENTENCE=${sentence}"
            -P ${PROJECT_SOURCE_DIR}/tests/packaging/compile_fail.cmake
    )
endfunction()
