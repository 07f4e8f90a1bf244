# Instruction-set levels: their names, and what they mean to the compiler. What they need of a
# processor is in <bpw/simd/cpu.hpp>.
include_guard()

# bpw_arch_flags(<out> <level>): the compiler flags of a level.
function(bpw_arch_flags out level)
    # xsimd knows VBMI only together with IFMA, as every processor has them. Those with VBMI and VNNI
    # have GFNI too.
    set(avx2 -mavx2 -mfma -mf16c -mbmi2)
    set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd)
    list(APPEND avx512 -mavx512ifma -mavx512vbmi -mavx512vnni -mgfni -mprefer-vector-width=512)
    if(level STREQUAL "scalar")
        set(flags -DBPW_FORCE_SCALAR)
    elseif(level STREQUAL "sse4.1")
        set(flags -msse4.1)
    elseif(level STREQUAL "avx2")
        set(flags ${avx2})
    elseif(level STREQUAL "avxvnni")
        set(flags ${avx2} -mavxvnni)
    elseif(level STREQUAL "avx512")
        set(flags ${avx512})
    elseif(level STREQUAL "neon")
        set(flags "")
    elseif(level STREQUAL "dotprod")
        set(flags -march=armv8.2-a+dotprod)
    elseif(level STREQUAL "i8mm")
        set(flags -march=armv8.2-a+dotprod+i8mm)
    elseif(level STREQUAL "native")
        set(flags -march=native)
    else()
        message(FATAL_ERROR "instruction-set level is '${level}', expected scalar, sse4.1, avx2, avxvnni, \
avx512, neon, dotprod, i8mm or native")
    endif()
    set(${out} "${flags}" PARENT_SCOPE)
endfunction()

# bpw_arch_levels(<out>): the levels that the target processor's family has, lowest first.
function(bpw_arch_levels out)
    set(levels scalar)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64|i.86)$")
        list(APPEND levels sse4.1 avx2 avxvnni avx512)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
        list(APPEND levels neon dotprod i8mm)
    endif()
    set(${out} "${levels}" PARENT_SCOPE)
endfunction()
