# Passes when the compiler refuses SOURCE with exactly one error, and that error has SENTENCE in it.
#   COMPILER, FLAGS and INCLUDES (lists), SOURCE, SENTENCE
cmake_minimum_required(VERSION 3.21)

list(TRANSFORM INCLUDES PREPEND -I)
execute_process(
    COMMAND ${COMPILER} ${FLAGS} -fsyntax-only ${INCLUDES} ${SOURCE}
    RESULT_VARIABLE status
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output
)
if(status EQUAL 0)
    message(FATAL_ERROR "${SOURCE} compiles, but it should be refused with: ${SENTENCE}")
endif()
# Semicolons and brackets would make several list items of one line, or one of several.
string(REGEX REPLACE "[][;]" "_" lines "${output}")
string(REPLACE "\n" ";" lines "${lines}")
list(FILTER lines INCLUDE REGEX "error: ")
list(LENGTH lines count)
if(NOT count EQUAL 1)
    message(FATAL_ERROR "${SOURCE} should give one error and gives ${count}:\n${output}")
endif()
string(FIND "${output}" "${SENTENCE}" at)
if(at EQUAL -1)
    message(FATAL_ERROR "${SOURCE} should be refused with '${SENTENCE}', but:\n${output}")
endif()
