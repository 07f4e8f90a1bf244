# Looks into a program made of two units, LOW for SSE4.1 and HIGH for AVX-512: no function that LOW
# calls may have been replaced by HIGH's code.
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
        # The mnemonics of AVX and all that came after it begin with a v; SSE4.1 has none.
        string(REGEX MATCH "\tv[a-z0-9]+ +[^\n]+" newer "${body}")
        if(name IN_LIST low)
            math(EXPR low_checked "${low_checked} + 1")
            if(newer)
                message(FATAL_ERROR "${name} comes from the unit for SSE4.1 and has the instruction ${newer}")
            endif()
        elseif(name IN_LIST high AND body MATCHES "%zmm[0-9]")
            math(EXPR high_wide "${high_wide} + 1")
        endif()
    endif()
endforeach()
if(low_checked EQUAL 0 OR high_wide EQUAL 0)
    message(FATAL_ERROR "nothing was compared: the unit for SSE4.1 has ${low_checked} functions, \
the unit for AVX-512 has ${high_wide} with 64-byte registers")
endif()
