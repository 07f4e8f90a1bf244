# Looks into a program made of two units: no function that the LOW unit brought may have been
# replaced by code for the HIGH unit's processor.
#   NM, OBJDUMP   binutils        LOW, HIGH   object files        PROGRAM   both, linked
cmake_minimum_required(VERSION 3.21)

# The names of the functions that an object file gives to the linker.
function(functions_of out object)
    execute_process(COMMAND ${NM} --defined-only --extern-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[^\n]* [TW] [^\n]*" lines "${symbols}")
    list(TRANSFORM lines REPLACE ".* " "")
    set(${out} "${lines}" PARENT_SCOPE)
endfunction()

functions_of(low ${LOW})
functions_of(high ${HIGH})
execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn ${PROGRAM} OUTPUT_VARIABLE code COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[][;]" "_" code "${code}")
string(REPLACE "\n\n" ";" code "${code}")

set(low_checked 0)
set(high_wide 0)
foreach(body IN LISTS code)
    if(body MATCHES "^\n*[0-9a-f]+ <([^>]+)>:")
        set(name "${CMAKE_MATCH_1}")
        string(REGEX MATCH "%[yz]mm[0-9]+" wide "${body}")
        if(name IN_LIST low)
            math(EXPR low_checked "${low_checked} + 1")
            if(wide)
                message(FATAL_ERROR "${name} comes from the unit for the lower level and uses ${wide}")
            endif()
        elseif(name IN_LIST high AND wide)
            math(EXPR high_wide "${high_wide} + 1")
        endif()
    endif()
endforeach()
if(low_checked EQUAL 0 OR high_wide EQUAL 0)
    message(FATAL_ERROR "nothing was compared: ${low_checked} functions of the lower level, \
${high_wide} of the higher one with wide registers")
endif()
