# bpw_host_headers(<out> <dir> <name>)
#
# The include directory to use for the header-only library whose headers are <dir>/<name>. When
# cross compiling, <dir> may be the host's own /usr/include, whose C headers must stay off the
# target's include path: a folder that links to <dir>/<name> alone goes in its place.
function(bpw_host_headers out dir name)
    if(CMAKE_CROSSCOMPILING AND dir STREQUAL "/usr/include")
        set(linked "${CMAKE_BINARY_DIR}/host_headers")
        file(MAKE_DIRECTORY "${linked}")
        file(CREATE_LINK "${dir}/${name}" "${linked}/${name}" SYMBOLIC)
        set(dir "${linked}")
    endif()
    set(${out} "${dir}" PARENT_SCOPE)
endfunction()
